-- What destinations hold: rows of what was sent (op 1) and taken back (0), by number of the export; the newest of an identifier counts.
-- Who was erased stays here, sealed, until the destination was told to remove them: then the rows go.
CREATE TABLE IF NOT EXISTS sent
(
    destination LowCardinality(String),
    segment LowCardinality(String),
    kind LowCardinality(String),
    identifier UUID,
    number UInt32 COMMENT 'of the export, rising by destination',
    op UInt8,
    sealed String,
    person UInt32 COMMENT 'profile at that time: what is of one person is one row of a file'
)
ENGINE = ReplacingMergeTree
ORDER BY (destination, segment, kind, identifier, number)
SETTINGS non_replicated_deduplication_window = 1000
