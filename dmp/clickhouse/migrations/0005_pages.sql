CREATE TABLE IF NOT EXISTS pages
(
    source LowCardinality(String),
    id String,
    identifier UUID,
    at DateTime64(3, 'UTC'),
    url String,
    title String,
    ingested DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ingested)
PARTITION BY toYYYYMM(at)
ORDER BY (identifier, at, source, id)
TTL toDateTime(ingested) + INTERVAL 6 MONTH
SETTINGS non_replicated_deduplication_window = 1000
