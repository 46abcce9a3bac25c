-- The newest fold of facts that changed anything of a person: who is evaluated again.
CREATE TABLE IF NOT EXISTS touches
(
    shard UInt8,
    profile UInt32,
    fold UInt64
)
ENGINE = ReplacingMergeTree(fold)
ORDER BY (shard, profile)
SETTINGS non_replicated_deduplication_window = 1000
