-- Whom an uploaded list names, as keys under the pepper. `entry` is the key of what was sent, `identifier` that or one of the hashes by which
-- partners may know the same person.
CREATE TABLE IF NOT EXISTS list_entries
(
    list LowCardinality(String),
    identifier UUID,
    entry UUID,
    source LowCardinality(String),
    removed UInt8,
    version UInt64 COMMENT 'epoch ms of the upload'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (list, identifier, entry)
SETTINGS non_replicated_deduplication_window = 1000
