-- Facts lie by kind: a leaf looks at one or two kinds, and what lay in one order of people was read whole for each. Of a kind people
-- are in the same order as before; who reads a person reads as many places as there are kinds.
CREATE OR REPLACE TABLE facts
(
    shard UInt8 COMMENT 'household % 64',
    profile UInt32,
    device UInt32 COMMENT '0: of no device',
    household UInt32,
    kind Enum8('person' = 1, 'purchase' = 2, 'visit' = 3, 'redemption' = 4, 'page' = 5, 'action' = 6, 'impression' = 7, 'click' = 8, 'attribute' = 9, 'position' = 10, 'home' = 11, 'work' = 12),
    at DateTime64(3, 'UTC') COMMENT 'when it was; of a visit its start',
    day Date COMMENT 'UTC, of a visit local to the place',
    hour UInt8 COMMENT 'local to the store, else UTC',
    weekday UInt8 COMMENT '1 Monday to 7, as hour',
    source LowCardinality(String) COMMENT 'of a visit that several sources made: empty',
    sources Array(LowCardinality(String)) COMMENT 'of a visit; of the others empty',
    once UInt64 COMMENT 'what counts once: the receipt of a line, the place and day of a visit, else the id',
    place LowCardinality(String) COMMENT 'store or geofence',
    product LowCardinality(String),
    category LowCardinality(String) COMMENT 'of the line, else of the catalogue; brand and department too',
    department LowCardinality(String),
    brand LowCardinality(String),
    channel LowCardinality(String) COMMENT 'store, online or empty',
    name LowCardinality(String) COMMENT 'of a visit: store or geofence; of an action and an attribute its name; of a redemption its promotion; of an exposure its campaign',
    item String COMMENT 'of a redemption its coupon, of a page its URL, of an action its item, of an attribute its text, of an exposure its line item; of a person the anchor',
    value String COMMENT 'of an action; of a person its kinds of identifiers, separated by commas',
    number Float64 COMMENT 'of an attribute: NaN where its text is no number',
    quantity Float64,
    amount Int64 COMMENT 'micros of currency',
    currency LowCardinality(String),
    dwell UInt32 COMMENT 'seconds',
    cell UInt64 COMMENT 'H3 at resolution 9, of position, home, work, visit',
    identifier UUID,
    id UInt64 COMMENT 'hash of kind and natural key',
    arrived DateTime64(3, 'UTC') COMMENT 'when the row that it was made of came in',
    revision UInt64 COMMENT 'hash of all the rest: another one is another row',
    device_sure UInt8 DEFAULT 100 COMMENT 'how surely the identifier is theirs, in percent',
    person_sure UInt8 DEFAULT 100,
    household_sure UInt8 DEFAULT 100
)
ENGINE = ReplacingMergeTree
PARTITION BY kind
ORDER BY (shard, profile, kind, id)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 2048
AS SELECT * FROM facts
