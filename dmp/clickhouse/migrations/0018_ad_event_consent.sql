-- Which consent strings privacy was read from (the start of a hash, see proto/privacy/consent-hash.ts), '' none; and the type of the
-- auction, 0 of bids made before it was kept.
ALTER TABLE ad_events
    ADD COLUMN IF NOT EXISTS consent String DEFAULT '',
    ADD COLUMN IF NOT EXISTS auction_type UInt16 DEFAULT 0
