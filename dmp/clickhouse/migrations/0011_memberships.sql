-- Entered (+1) and left (-1) rows by version of the segment; the newest version of a pair says whether it holds.
CREATE TABLE IF NOT EXISTS memberships
(
    segment LowCardinality(String),
    profile UInt32,
    version UInt32,
    status Int8,
    at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (segment, profile, version)
SETTINGS non_replicated_deduplication_window = 1000
