-- grain:    one row per month, bucket and bucket of the month after
-- inputs:   aged
-- leaves:   rolls: loans, and their balances in the month from which they roll
--
-- A loan that is in one month and not in the next left the book: a column of its own, not M0. A loan that is new rolls from nowhere.

CREATE OR REPLACE TEMP TABLE rolls AS
WITH
last_month AS (SELECT max(month) AS month FROM aged),
pairs AS (
  SELECT
    month AS from_month, bucket AS from_bucket, balance_fen,
    CASE WHEN lead(month) OVER of_loan = last_day(month + INTERVAL 1 MONTH) THEN lead(bucket) OVER of_loan ELSE 'left' END AS to_bucket
  FROM aged
  WINDOW of_loan AS (PARTITION BY loan_id ORDER BY month)
)
SELECT
  from_month, from_bucket, to_bucket, count(*) AS loans, CAST(sum(balance_fen) AS BIGINT) AS balance_fen,
  round(count(*) / sum(count(*)) OVER (PARTITION BY from_month, from_bucket), 6)                              AS share_of_loans,
  round(sum(balance_fen) / nullif(sum(sum(balance_fen)) OVER (PARTITION BY from_month, from_bucket), 0), 6)   AS share_of_balance
FROM pairs, last_month
WHERE from_month < last_month.month AND from_bucket NOT IN ('paid', 'written_off')
GROUP BY from_month, from_bucket, to_bucket;
