-- What an evaluation cost and how it went: facts that it read and their bytes, and whether all people were asked.
ALTER TABLE segment_runs
    ADD COLUMN IF NOT EXISTS mode LowCardinality(String) DEFAULT 'full' COMMENT 'full, incremental or audit',
    ADD COLUMN IF NOT EXISTS asked UInt64 DEFAULT 0 COMMENT 'people',
    ADD COLUMN IF NOT EXISTS rows UInt64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS bytes UInt64 DEFAULT 0
