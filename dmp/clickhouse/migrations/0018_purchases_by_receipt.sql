-- A line is known by source, receipt and line whatever its time says: with a partition a month, a line sent again with another
-- month's time stayed twice, since rows replace each other within one partition only. A deleted line is a row with deleted = 1.
CREATE OR REPLACE TABLE purchases
(
    source LowCardinality(String),
    receipt String,
    line String,
    at DateTime64(3, 'UTC'),
    identifier UUID COMMENT 'made of the receipt where it names nobody',
    store String,
    product String,
    category LowCardinality(String),
    department LowCardinality(String),
    brand LowCardinality(String),
    quantity Decimal(18, 3),
    amount Int64 COMMENT 'micros of currency',
    currency LowCardinality(String),
    ingested DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0,
    INDEX at_range at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(ingested, deleted)
ORDER BY (source, receipt, line)
TTL toDateTime(ingested) + INTERVAL 36 MONTH
SETTINGS non_replicated_deduplication_window = 1000
AS SELECT source, receipt, line, at, identifier, store, product, category, department, brand, quantity, amount, currency, ingested, 0
FROM purchases
