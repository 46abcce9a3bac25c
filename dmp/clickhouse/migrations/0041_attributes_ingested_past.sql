ALTER TABLE attributes MATERIALIZE COLUMN ingested SETTINGS mutations_sync = 2
