-- What comes of it: the new members, who entered and who is gone.
CREATE TABLE IF NOT EXISTS segment_steps
(
    segment LowCardinality(String),
    shard UInt8,
    members AggregateFunction(groupBitmap, UInt32),
    entered AggregateFunction(groupBitmap, UInt32),
    gone AggregateFunction(groupBitmap, UInt32)
)
ENGINE = MergeTree
ORDER BY (segment, shard)
