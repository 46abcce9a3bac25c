-- Under whom facts of an identifier may lie, now or once: written before they are put there, so that a fold which is cut off leaves
-- none behind that the next one does not find.
CREATE TABLE IF NOT EXISTS placements
(
    identifier UUID,
    shard UInt8,
    profile UInt32
)
ENGINE = ReplacingMergeTree
ORDER BY (identifier, shard, profile)
