-- Retention counts from ingestion, so that an import of old data is not dropped by its first merge.
-- One row a receipt line; a refund is another receipt with negative amounts. Natural key: source, receipt, line.
CREATE TABLE IF NOT EXISTS purchases
(
    source LowCardinality(String),
    receipt String,
    line String,
    at DateTime64(3, 'UTC'),
    identifier UUID,
    store String,
    product String,
    category LowCardinality(String),
    department LowCardinality(String),
    brand LowCardinality(String),
    quantity Decimal(18, 3),
    amount Int64 COMMENT 'micros of currency',
    currency LowCardinality(String),
    ingested DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ingested)
PARTITION BY toYYYYMM(at)
ORDER BY (source, receipt, line)
TTL toDateTime(ingested) + INTERVAL 36 MONTH
SETTINGS non_replicated_deduplication_window = 1000
