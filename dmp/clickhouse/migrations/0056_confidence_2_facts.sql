-- The same of the identifier that the fact names; of a row of kind 'person' the surest of those that it stands for.
ALTER TABLE facts
    ADD COLUMN IF NOT EXISTS device_sure UInt8 DEFAULT 100,
    ADD COLUMN IF NOT EXISTS person_sure UInt8 DEFAULT 100,
    ADD COLUMN IF NOT EXISTS household_sure UInt8 DEFAULT 100
