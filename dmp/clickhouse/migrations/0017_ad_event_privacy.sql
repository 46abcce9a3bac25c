-- Why the bid knew what it knew: a reason of proto/privacy/table.ts, '' of bids made before there was one.
ALTER TABLE ad_events ADD COLUMN IF NOT EXISTS privacy LowCardinality(String) DEFAULT ''
