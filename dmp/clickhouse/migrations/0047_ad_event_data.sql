-- What the data cost that a billed impression stood on, micros: beside the media cost it counts in the budgets.
ALTER TABLE ad_events
    ADD COLUMN IF NOT EXISTS data Int64 DEFAULT 0
