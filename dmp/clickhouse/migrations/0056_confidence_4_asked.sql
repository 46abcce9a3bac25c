-- As in facts.
ALTER TABLE segment_facts
    ADD COLUMN IF NOT EXISTS device_sure UInt8 DEFAULT 100,
    ADD COLUMN IF NOT EXISTS person_sure UInt8 DEFAULT 100,
    ADD COLUMN IF NOT EXISTS household_sure UInt8 DEFAULT 100
