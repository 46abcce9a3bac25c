-- Which profile an identifier belongs to, as resolved last. Facts carry identifiers and are joined with this when read.
CREATE TABLE IF NOT EXISTS identities
(
    identifier UUID,
    kind LowCardinality(String),
    profile UInt32,
    anchor UUID,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY identifier
SETTINGS non_replicated_deduplication_window = 1000
