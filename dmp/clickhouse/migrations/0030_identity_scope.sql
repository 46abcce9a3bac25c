-- The identifiers that a run of the resolution looks at; emptied by each run.
CREATE TABLE IF NOT EXISTS identity_scope
(
    identifier UUID
)
ENGINE = MergeTree
ORDER BY identifier
