-- One visit a device, place (store or geofence) and local day of the place; a visit that later data took back is a row with cancelled = 1.
CREATE TABLE IF NOT EXISTS visits
(
    identifier UUID,
    kind Enum8('store' = 1, 'geofence' = 2),
    place String,
    day Date,
    start DateTime64(3, 'UTC'),
    end DateTime64(3, 'UTC'),
    dwell UInt32 COMMENT 'seconds',
    pings UInt32,
    cancelled UInt8,
    version UInt64 COMMENT 'epoch ms of the computation'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (identifier, kind, place, day)
TTL toDateTime(intDiv(version, 1000)) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 1000
