-- Every bid and what became of it, see proto/ad-event.ts. Known by (campaign, type, bid); the partition is that of the bid.
-- A bid that is only known by its notices is a row with own = 0, which the bid's own event replaces whichever comes first.
CREATE TABLE IF NOT EXISTS ad_events
(
    type Enum8('bid' = 1, 'ghost' = 2, 'win' = 3, 'billing' = 4, 'loss' = 5, 'impression' = 6, 'click' = 7),
    bid String,
    bid_at DateTime64(3, 'UTC'),
    at DateTime64(3, 'UTC'),
    exchange LowCardinality(String),
    auction String,
    imp String,
    advertiser LowCardinality(String),
    campaign LowCardinality(String),
    line_item LowCardinality(String),
    creative LowCardinality(String),
    store LowCardinality(String),
    identifier UUID COMMENT 'zero where nobody was named',
    anchor UUID,
    price Int64 COMMENT 'micros of CPM',
    clearing Nullable(Int64) COMMENT 'micros of CPM',
    cost Int64 COMMENT 'micros',
    loss_reason Nullable(UInt16),
    min_to_win Nullable(Int64),
    metres Nullable(UInt32),
    test UInt8,
    own UInt8 DEFAULT 1
)
ENGINE = ReplacingMergeTree(own)
PARTITION BY toYYYYMM(bid_at)
ORDER BY (campaign, type, bid)
TTL toDateTime(bid_at) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 1000
