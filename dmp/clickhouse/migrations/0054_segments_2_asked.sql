-- Of which kinds of facts somebody is asked again.
ALTER TABLE segment_asked
    ADD COLUMN IF NOT EXISTS kind Enum8('person' = 1, 'purchase' = 2, 'visit' = 3, 'redemption' = 4, 'page' = 5, 'action' = 6, 'impression' = 7, 'click' = 8, 'attribute' = 9, 'position' = 10, 'home' = 11, 'work' = 12)
