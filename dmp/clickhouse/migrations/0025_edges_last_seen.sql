-- When an edge was last named, and how sure its source is of it (1: named by one event).
ALTER TABLE edges
    ADD COLUMN IF NOT EXISTS last_seen DateTime64(3, 'UTC') DEFAULT first_seen,
    ADD COLUMN IF NOT EXISTS confidence Float32 DEFAULT 1
