-- Who used a segment, for whom and for what: a line item that went live with it or stopped, a version of it that was sent somewhere,
-- lookups that were answered. No people.
CREATE TABLE IF NOT EXISTS segment_uses
(
    at DateTime64(3, 'UTC'),
    segment LowCardinality(String),
    advertiser LowCardinality(String) COMMENT 'for whom',
    use LowCardinality(String) COMMENT 'line-item, line-item-ended, export, lookup',
    id String COMMENT 'of the line item or destination',
    version UInt32 COMMENT 'of the members; 0: as they are at any moment',
    people UInt32 COMMENT 'sent, or times it was told that somebody is in it; 0: not counted',
    actor LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY (segment, at)
TTL toDateTime(at) + INTERVAL 60 MONTH
SETTINGS non_replicated_deduplication_window = 1000
