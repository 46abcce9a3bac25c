-- The catalogue of a source. A receipt line's own department, category and brand win; the catalogue fills what is empty.
CREATE TABLE IF NOT EXISTS products
(
    source LowCardinality(String),
    product String,
    name String,
    category LowCardinality(String),
    department LowCardinality(String),
    brand LowCardinality(String),
    ingested DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ingested)
ORDER BY (source, product)
SETTINGS non_replicated_deduplication_window = 1000
