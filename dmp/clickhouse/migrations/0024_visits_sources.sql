-- The sources whose pings a visit was made of: when one may not be used any more, the visit is found and made anew without it.
ALTER TABLE visits ADD COLUMN IF NOT EXISTS sources Array(LowCardinality(String))
