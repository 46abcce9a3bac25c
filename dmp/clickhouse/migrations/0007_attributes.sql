-- What a source says of a person; the newest value of a name counts. `number` holds the value where it is one.
CREATE TABLE IF NOT EXISTS attributes
(
    source LowCardinality(String),
    identifier UUID,
    name LowCardinality(String),
    text String,
    number Nullable(Float64),
    at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (identifier, name, source)
SETTINGS non_replicated_deduplication_window = 1000
