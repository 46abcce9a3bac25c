CREATE TABLE IF NOT EXISTS segment_runs
(
    segment LowCardinality(String),
    version UInt32,
    revision UInt32 COMMENT 'of the segment whose rule was evaluated',
    started DateTime64(3, 'UTC'),
    seconds Float64,
    members UInt32,
    entered UInt32,
    left_count UInt32,
    error String
)
ENGINE = MergeTree
ORDER BY (segment, started)
TTL toDateTime(started) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 1000
