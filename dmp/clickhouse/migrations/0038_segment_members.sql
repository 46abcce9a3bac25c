-- Members of a segment by version and shard, as bitmaps of profiles: for algebra, overlap and deltas. A version is whole when its
-- run is in segment_runs. `memberships` has the same as rows that entered and left.
CREATE TABLE IF NOT EXISTS segment_members
(
    segment LowCardinality(String),
    version UInt32,
    shard UInt8,
    members AggregateFunction(groupBitmap, UInt32),
    computed DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(computed)
ORDER BY (segment, version, shard)
SETTINGS non_replicated_deduplication_window = 1000
