-- Rows of the fold that is running, not yet anybody's; `gone`: taken back. Emptied by each fold.
CREATE TABLE IF NOT EXISTS facts_fresh
ENGINE = MergeTree
ORDER BY identifier
EMPTY AS SELECT *, toUInt8(0) AS gone FROM facts
