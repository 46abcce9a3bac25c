-- What a store says it has of a product; the newest word counts.
CREATE TABLE IF NOT EXISTS stocks
(
    source LowCardinality(String),
    store String,
    product String,
    at DateTime64(3, 'UTC'),
    quantity Decimal(18, 3),
    price Nullable(Int64) COMMENT 'micros of currency',
    currency LowCardinality(String),
    ingested DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(at, deleted)
ORDER BY (source, store, product)
TTL toDateTime(ingested) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 1000
