-- Of whom leaves hold that no fact of a person tells to have changed (lists, look-alikes, quantiles of all), as they were at an evaluation
-- (its `stamp`): who is in one of two of them is asked again.
CREATE TABLE IF NOT EXISTS leaf_sets
(
    leaf LowCardinality(String) COMMENT 'hash of what it comes to',
    stamp UInt64,
    shard UInt8,
    members AggregateFunction(groupBitmap, UInt32)
)
ENGINE = MergeTree
PARTITION BY stamp
ORDER BY (leaf, shard)
