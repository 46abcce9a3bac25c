-- Who asked for an erasure, and what became of it: the newest row holds the receipt. It names nobody.
CREATE TABLE IF NOT EXISTS erasures
(
    id String,
    at DateTime64(3, 'UTC'),
    actor String,
    receipt String,
    written DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written)
ORDER BY id
