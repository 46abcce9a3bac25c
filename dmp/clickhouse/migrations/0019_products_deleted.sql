-- A product that is taken out of the catalogue is a row with deleted = 1.
CREATE OR REPLACE TABLE products
(
    source LowCardinality(String),
    product String,
    name String,
    category LowCardinality(String),
    department LowCardinality(String),
    brand LowCardinality(String),
    ingested DateTime64(3, 'UTC'),
    deleted UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(ingested, deleted)
ORDER BY (source, product)
SETTINGS non_replicated_deduplication_window = 1000
AS SELECT source, product, name, category, department, brand, ingested, 0 FROM products
