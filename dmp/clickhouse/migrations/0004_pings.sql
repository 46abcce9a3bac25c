-- Where a device was. Cells are computed in Node at resolution 11.
CREATE TABLE IF NOT EXISTS pings
(
    source LowCardinality(String),
    identifier UUID,
    at DateTime64(3, 'UTC'),
    lat Float64,
    lon Float64,
    error Float32 COMMENT 'metres',
    class Enum8('high' = 1, 'medium' = 2, 'low' = 3),
    cell UInt64,
    ingested DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ingested)
PARTITION BY toYYYYMM(at)
ORDER BY (identifier, at, source)
TTL toDateTime(ingested) + INTERVAL 3 MONTH
SETTINGS non_replicated_deduplication_window = 1000
