-- Two identifiers that one event named together; a single identifier is an edge to itself. The raw material of identity:
-- never changed, so a resolution can be repeated.
CREATE TABLE IF NOT EXISTS edges
(
    a UUID,
    kind_a LowCardinality(String),
    b UUID,
    kind_b LowCardinality(String),
    source LowCardinality(String),
    first_seen DateTime64(3, 'UTC'),
    ingested DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ingested)
ORDER BY (a, b, source)
SETTINGS non_replicated_deduplication_window = 1000
