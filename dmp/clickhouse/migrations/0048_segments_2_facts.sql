-- Facts of the people who are asked again by the pass that is running; emptied by each.
CREATE TABLE IF NOT EXISTS segment_facts
ENGINE = MergeTree
ORDER BY (shard, profile)
SETTINGS index_granularity = 2048
EMPTY AS SELECT * FROM facts
