-- Of whom everything was erased: what remains are the keys, so that the person does not come back with the next import, and when.
-- `profile` is the number that the person had, by which a run that was cut off finds the memberships.
CREATE TABLE IF NOT EXISTS erased
(
    identifier UUID,
    erasure String,
    profile UInt32,
    at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (identifier, erasure, profile)
