-- grain:    one row per month and bucket
-- inputs:   aged
-- leaves:   ageing_counted: loans and balances, whole numbers that add up over parts of a portfolio

CREATE OR REPLACE TEMP TABLE ageing_counted AS
SELECT month, bucket, count(*) AS loans, CAST(sum(balance_fen) AS BIGINT) AS balance_fen
FROM aged WHERE bucket <> 'paid'
GROUP BY month, bucket;
