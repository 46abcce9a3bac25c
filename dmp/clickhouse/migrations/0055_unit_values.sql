-- What rules compare people by (recency, frequency, money), kept from one evaluation to the next and mended for whom facts changed:
-- the quantiles of everybody are taken of these, not of the facts. Without receipts: no value any more.
CREATE TABLE IF NOT EXISTS unit_values
(
    `values` LowCardinality(String) COMMENT 'hash of what they come to',
    profile UInt32 COMMENT 'or the device, or the household',
    stamp UInt64,
    newest DateTime64(3, 'UTC'),
    receipts UInt64,
    money Int64
)
ENGINE = ReplacingMergeTree(stamp)
ORDER BY (`values`, profile)
