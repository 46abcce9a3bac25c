-- What a person did that is neither a purchase nor a place: a coupon was issued, an order collected, a network joined, an app
-- opened, a survey answered. Natural key: identifier, time, source, id.
CREATE TABLE IF NOT EXISTS actions
(
    source LowCardinality(String),
    id String,
    identifier UUID,
    at DateTime64(3, 'UTC'),
    name LowCardinality(String),
    store String,
    item String COMMENT 'coupon, order, network, question',
    value String,
    ingested DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ingested)
PARTITION BY toYYYYMM(at)
ORDER BY (identifier, at, source, id)
TTL toDateTime(ingested) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 1000
