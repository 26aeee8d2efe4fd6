-- grain:    one row per month and bucket
-- inputs:   aged
-- leaves:   ageing: loans and balances, and their shares of the month's

CREATE OR REPLACE TEMP TABLE ageing AS
SELECT
  month, bucket, count(*) AS loans, CAST(sum(balance_fen) AS BIGINT) AS balance_fen,
  round(count(*) / sum(count(*)) OVER (PARTITION BY month), 6)                              AS share_of_loans,
  round(sum(balance_fen) / nullif(sum(sum(balance_fen)) OVER (PARTITION BY month), 0), 6)   AS share_of_balance
FROM aged WHERE bucket <> 'paid'
GROUP BY month, bucket;
