-- Whatever comes in as an edge is a link of both its ends.
CREATE MATERIALIZED VIEW IF NOT EXISTS links_of_edges TO links AS
SELECT
    tupleElement(way, 1) AS node,
    tupleElement(way, 3) AS neighbour,
    source,
    tupleElement(way, 2) AS kind,
    tupleElement(way, 4) AS neighbour_kind,
    confidence,
    first_seen,
    last_seen,
    ingested AS named,
    fromUnixTimestamp64Milli(toInt64(0), 'UTC') AS withdrawn
FROM edges
ARRAY JOIN if(a = b,
    [(a, toString(kind_a), b, toString(kind_b))],
    [(a, toString(kind_a), b, toString(kind_b)), (b, toString(kind_b), a, toString(kind_a))]) AS way
