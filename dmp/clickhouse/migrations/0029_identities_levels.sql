-- `own`: the profile id that was made for this identifier, 0 for most. A group's id is the least of its members', so a merge and its
-- undoing give the ids that were there before. `device` (0: of none) and `household` are the groups below and above the profile,
-- `cluster` is all that anything connects: what must be looked at again when one of it changes.
ALTER TABLE identities
    ADD COLUMN IF NOT EXISTS own UInt32 DEFAULT if(identifier = anchor, profile, 0),
    ADD COLUMN IF NOT EXISTS device UInt32 DEFAULT if(kind IN ('', 'ifa', 'exchange', 'cookie', 'mac'), profile, 0),
    ADD COLUMN IF NOT EXISTS household UInt32 DEFAULT profile,
    ADD COLUMN IF NOT EXISTS cluster UInt32 DEFAULT profile,
    ADD COLUMN IF NOT EXISTS shared UInt8 DEFAULT 0
