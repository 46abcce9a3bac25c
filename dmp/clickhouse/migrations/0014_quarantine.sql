-- Rows that were refused, as received but for raw identifiers, which are replaced by their keys.
CREATE TABLE IF NOT EXISTS quarantine
(
    id String,
    at DateTime64(3, 'UTC'),
    source LowCardinality(String),
    import String COMMENT 'job of the file, or empty for streamed events',
    type LowCardinality(String),
    line UInt64,
    pointer String,
    value String,
    code LowCardinality(String),
    message String,
    original String
)
ENGINE = ReplacingMergeTree(at)
PARTITION BY toYYYYMM(at)
ORDER BY (source, import, id)
TTL toDateTime(at) + INTERVAL 3 MONTH
SETTINGS non_replicated_deduplication_window = 1000
