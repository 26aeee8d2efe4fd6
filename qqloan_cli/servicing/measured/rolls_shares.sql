-- grain:    one row per month, bucket and bucket of the month after
-- inputs:   rolls_counted
-- leaves:   rolls: and their shares of those that roll from the bucket in the month

CREATE OR REPLACE TEMP TABLE rolls AS
SELECT
  from_month, from_bucket, to_bucket, loans, balance_fen,
  round(loans / sum(loans) OVER of_bucket, 6)                         AS share_of_loans,
  round(balance_fen / nullif(sum(balance_fen) OVER of_bucket, 0), 6)  AS share_of_balance
FROM rolls_counted
WINDOW of_bucket AS (PARTITION BY from_month, from_bucket);
