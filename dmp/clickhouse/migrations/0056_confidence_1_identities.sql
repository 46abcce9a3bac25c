-- How surely the identifier belongs to its device (and with it to its person), its person, and the person to the household, in percent.
ALTER TABLE identities
    ADD COLUMN IF NOT EXISTS device_sure UInt8 DEFAULT 100,
    ADD COLUMN IF NOT EXISTS person_sure UInt8 DEFAULT 100,
    ADD COLUMN IF NOT EXISTS household_sure UInt8 DEFAULT 100
