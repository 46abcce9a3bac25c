-- What `facts` holds of them; `kept`: as wanted.
CREATE TABLE IF NOT EXISTS facts_found
ENGINE = MergeTree
ORDER BY (shard, profile, kind, id)
EMPTY AS SELECT shard, profile, household, kind, id, revision, toUInt8(0) AS kept FROM facts
