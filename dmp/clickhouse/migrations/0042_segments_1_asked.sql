-- Who is asked again by the pass that is running; emptied by each.
CREATE TABLE IF NOT EXISTS segment_asked
(
    shard UInt8,
    profile UInt32
)
ENGINE = MergeTree
ORDER BY (shard, profile)
