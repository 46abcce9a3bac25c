-- What a fold of facts looks at; emptied by each. `moved`: the identifier's person may be another one; `located`: it has new pings.
CREATE TABLE IF NOT EXISTS facts_scope
(
    identifier UUID,
    why Enum8('moved' = 1, 'located' = 2)
)
ENGINE = MergeTree
ORDER BY (why, identifier)
