-- Those that came in before there were links.
INSERT INTO links (node, neighbour, source, kind, neighbour_kind, confidence, first_seen, last_seen, named, withdrawn)
SELECT
    tupleElement(way, 1),
    tupleElement(way, 3),
    source,
    tupleElement(way, 2),
    tupleElement(way, 4),
    confidence,
    first_seen,
    last_seen,
    ingested,
    fromUnixTimestamp64Milli(toInt64(0), 'UTC')
FROM edges
ARRAY JOIN if(a = b,
    [(a, toString(kind_a), b, toString(kind_b))],
    [(a, toString(kind_a), b, toString(kind_b)), (b, toString(kind_b), a, toString(kind_a))]) AS way
