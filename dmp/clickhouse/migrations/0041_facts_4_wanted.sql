-- The same rows under their people: what `facts` is to hold of them.
CREATE TABLE IF NOT EXISTS facts_wanted
ENGINE = MergeTree
ORDER BY (shard, profile, kind, id)
EMPTY AS SELECT * FROM facts
