-- A bid that was decided and did not leave, see proto/ad-event.ts: nobody's bid, and a decision all the same.
ALTER TABLE ad_events
    MODIFY COLUMN type Enum8('bid' = 1, 'ghost' = 2, 'win' = 3, 'billing' = 4, 'loss' = 5, 'impression' = 6, 'click' = 7, 'view' = 8, 'media' = 9, 'unsent' = 10)
