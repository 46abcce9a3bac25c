-- When rows came in that had the time of their event only: what came since the last fold of facts is found by it.
ALTER TABLE ad_events ADD COLUMN IF NOT EXISTS ingested DateTime64(3, 'UTC') DEFAULT now64(3)
