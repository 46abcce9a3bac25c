-- Of whom each leaf of rules holds, kept from one evaluation to the next and mended for whom facts changed; rules are algebra of these.
-- `shard` is the stretch of 2^20 numbers of units in which they are: so a large set takes a bit for each of them.
CREATE TABLE IF NOT EXISTS leaf_members
(
    leaf String COMMENT 'hash of what it comes to; ends in ! where the set is that of those of whom it does not hold',
    shard UInt8,
    stamp UInt64,
    members AggregateFunction(groupBitmap, UInt32)
)
ENGINE = ReplacingMergeTree(stamp)
ORDER BY (leaf, shard)
