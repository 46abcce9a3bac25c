-- Of whom the leaves of rules hold, in the pass that is running; emptied by each.
CREATE TABLE IF NOT EXISTS segment_leaves
(
    leaf LowCardinality(String),
    shard UInt8,
    members AggregateFunction(groupBitmap, UInt32)
)
ENGINE = MergeTree
ORDER BY (shard, leaf)
