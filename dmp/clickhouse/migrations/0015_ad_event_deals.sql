-- The deal of a bid, and how many people see one play of it (screens out of home).
ALTER TABLE ad_events
    ADD COLUMN IF NOT EXISTS deal LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS exposures Float64 DEFAULT 1
