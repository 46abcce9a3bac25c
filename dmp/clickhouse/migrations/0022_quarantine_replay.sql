-- When a refused row was taken after all: by a replay, of what quarantine kept of it.
ALTER TABLE quarantine ADD COLUMN IF NOT EXISTS replayed Nullable(DateTime64(3, 'UTC')) DEFAULT NULL
