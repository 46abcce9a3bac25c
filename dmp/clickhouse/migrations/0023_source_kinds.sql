-- Which kinds of rows a source has brought and since when, kept also when the rows' time is over: what was used was used.
CREATE TABLE IF NOT EXISTS source_kinds
(
    source LowCardinality(String),
    kind LowCardinality(String),
    first SimpleAggregateFunction(min, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (source, kind)
