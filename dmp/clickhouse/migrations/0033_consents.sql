-- What a person agreed to or took back, by identifier: the newest word of a person on a purpose counts. Never changed: the proof of
-- what held when is the history.
CREATE TABLE IF NOT EXISTS consents
(
    identifier UUID,
    kind LowCardinality(String),
    purpose LowCardinality(String),
    advertiser LowCardinality(String) COMMENT 'to whom it was said; empty: the operator, for all',
    at DateTime64(3, 'UTC'),
    granted UInt8,
    expires DateTime64(3, 'UTC') COMMENT '2299 where it has no end',
    source LowCardinality(String),
    document String,
    version String,
    channel LowCardinality(String),
    actor String,
    id String,
    recorded DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(recorded)
ORDER BY (identifier, purpose, advertiser, at, id)
SETTINGS non_replicated_deduplication_window = 1000
