-- Of whom of these the rules hold.
CREATE TABLE IF NOT EXISTS segment_held
(
    segment LowCardinality(String),
    shard UInt8,
    members AggregateFunction(groupBitmap, UInt32)
)
ENGINE = MergeTree
ORDER BY (segment, shard)
