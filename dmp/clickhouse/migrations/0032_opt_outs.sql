-- Whom nothing may be shown: identifiers that were named in an opt-out. It holds for all that are the same person, then and later.
CREATE TABLE IF NOT EXISTS opt_outs
(
    identifier UUID,
    at DateTime64(3, 'UTC'),
    active UInt8
)
ENGINE = ReplacingMergeTree(at)
ORDER BY identifier
