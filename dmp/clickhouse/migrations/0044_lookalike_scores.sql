-- How much people resemble the seed of a look-alike: 0 to 1, of the newest fit (`version`, epoch ms). Seeds themselves have no row. Read with
-- FINAL; rows of older fits are deleted after the newest is whole.
CREATE TABLE IF NOT EXISTS lookalike_scores
(
    model LowCardinality(String),
    shard UInt8 COMMENT 'as in facts',
    profile UInt32,
    score Float32,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (model, shard, profile)
SETTINGS non_replicated_deduplication_window = 1000
