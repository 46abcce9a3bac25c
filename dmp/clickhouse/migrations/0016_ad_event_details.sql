-- What a shown ad reports: viewability and the tracking events of VAST, each known by (campaign, type, bid, detail).
ALTER TABLE ad_events
    ADD COLUMN IF NOT EXISTS detail LowCardinality(String),
    MODIFY COLUMN type Enum8('bid' = 1, 'ghost' = 2, 'win' = 3, 'billing' = 4, 'loss' = 5, 'impression' = 6, 'click' = 7, 'view' = 8, 'media' = 9),
    MODIFY ORDER BY (campaign, type, bid, detail)
