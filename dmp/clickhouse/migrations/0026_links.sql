-- The graph of identity: each edge from both its ends, so that what hangs on an identifier is found by it. Repeating an insert
-- changes nothing. A row holds while it was named (`named`, ingestion time) later than it was withdrawn, and its time to live lasts.
CREATE TABLE IF NOT EXISTS links
(
    node UUID,
    neighbour UUID,
    source LowCardinality(String),
    kind SimpleAggregateFunction(max, String) COMMENT 'of the node, or empty',
    neighbour_kind SimpleAggregateFunction(max, String),
    confidence SimpleAggregateFunction(max, Float32),
    first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    named SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    withdrawn SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (node, neighbour, source)
