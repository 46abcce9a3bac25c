-- Of rows that were there already it is now, once.
ALTER TABLE ad_events MATERIALIZE COLUMN ingested SETTINGS mutations_sync = 2
