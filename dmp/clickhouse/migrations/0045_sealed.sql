-- What a destination knows a person by, encrypted (AES-256-GCM under a key made of the pepper), of sources whose contract lets it be sent:
-- keys are one-way, and a file for a destination needs its own hash. See docs/decisions/0013. Erased with the person.
CREATE TABLE IF NOT EXISTS sealed
(
    identifier UUID COMMENT 'key of the value that is sealed',
    kind LowCardinality(String) COMMENT 'as which it may be sent',
    source LowCardinality(String),
    sealed String COMMENT 'base64url of nonce, ciphertext, tag',
    ingested DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ingested)
ORDER BY (identifier, kind, source)
SETTINGS non_replicated_deduplication_window = 1000
