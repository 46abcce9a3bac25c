-- What was done over the API that is no revision of a thing (those log themselves): jobs, imports, looks at a person. No bodies.
CREATE TABLE IF NOT EXISTS audit_log
(
    at DateTime64(3, 'UTC'),
    actor String,
    advertiser String COMMENT 'that the key is bound to, or empty',
    action LowCardinality(String) COMMENT 'operationId of the route',
    kind LowCardinality(String),
    id String,
    request String
)
ENGINE = MergeTree
ORDER BY (at, request)
TTL toDateTime(at) + INTERVAL 60 MONTH
SETTINGS non_replicated_deduplication_window = 1000
