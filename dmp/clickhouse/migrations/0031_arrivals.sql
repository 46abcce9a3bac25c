-- Rows that came in, repeated ones too, and rows that were deleted, by source, kind and UTC day of arrival. Counts for the report
-- of quality: nothing that money depends on.
CREATE TABLE IF NOT EXISTS arrivals
(
    source LowCardinality(String),
    kind LowCardinality(String),
    day Date,
    rows UInt64,
    removed UInt64
)
ENGINE = SummingMergeTree
ORDER BY (source, kind, day)
TTL day + INTERVAL 37 MONTH
