-- What `facts` holds of the people of a fold, found beside what it is to hold of them; `facts_found` has of these what is to be deleted, as
-- deletions that were cut off look for it there. Emptied by each fold.
CREATE TABLE IF NOT EXISTS facts_there
ENGINE = MergeTree
ORDER BY (shard, profile, kind, id)
EMPTY AS SELECT shard, profile, household, kind, id, revision FROM facts
