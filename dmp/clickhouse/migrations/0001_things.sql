CREATE TABLE IF NOT EXISTS revisions
(
    kind LowCardinality(String),
    id String,
    revision UInt32,
    at DateTime64(3, 'UTC'),
    actor String,
    deleted UInt8,
    body String
)
ENGINE = ReplacingMergeTree
ORDER BY (kind, id, revision)
