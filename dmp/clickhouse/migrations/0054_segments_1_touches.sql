-- Of which kind the facts are that changed: a leaf is asked again of whom facts of its own kinds changed. 'person' (also of rows of
-- before) stands for all kinds.
ALTER TABLE touches
    ADD COLUMN IF NOT EXISTS kind Enum8('person' = 1, 'purchase' = 2, 'visit' = 3, 'redemption' = 4, 'page' = 5, 'action' = 6, 'impression' = 7, 'click' = 8, 'attribute' = 9, 'position' = 10, 'home' = 11, 'work' = 12),
    MODIFY ORDER BY (shard, profile, kind)
