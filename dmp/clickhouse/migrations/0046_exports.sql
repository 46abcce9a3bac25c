-- Exports to destinations: the newest row of each has its whole record, as JSON. It names nobody.
CREATE TABLE IF NOT EXISTS exports
(
    id String,
    destination LowCardinality(String),
    number UInt32,
    state LowCardinality(String),
    record String,
    written UInt64 COMMENT 'rises with every change'
)
ENGINE = ReplacingMergeTree(written)
ORDER BY (destination, number, id)
SETTINGS non_replicated_deduplication_window = 1000
