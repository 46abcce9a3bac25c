-- What line items were charged for the flat prices of sources, micros by UTC day: it counts in their budgets beside media and data
-- of each impression. The newest row of a day, source and line item is what was booked.
CREATE TABLE IF NOT EXISTS flat_charges
(
    day Date,
    source LowCardinality(String),
    campaign LowCardinality(String),
    line_item LowCardinality(String),
    micros Int64,
    written DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written)
ORDER BY (campaign, line_item, day, source)
