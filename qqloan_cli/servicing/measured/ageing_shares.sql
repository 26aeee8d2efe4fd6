-- grain:    one row per month and bucket
-- inputs:   ageing_counted
-- leaves:   ageing: and their shares of the month's

CREATE OR REPLACE TEMP TABLE ageing AS
SELECT
  month, bucket, loans, balance_fen,
  round(loans / sum(loans) OVER of_month, 6)                         AS share_of_loans,
  round(balance_fen / nullif(sum(balance_fen) OVER of_month, 0), 6)  AS share_of_balance
FROM ageing_counted
WINDOW of_month AS (PARTITION BY month);
