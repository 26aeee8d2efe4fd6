-- grain:    one row per month, bucket and bucket of the month after
-- inputs:   aged, panel_end (seen_to)
-- leaves:   rolls_counted: loans, and their balances in the month from which they roll
--
-- A loan that is in one month and not in the next left the book: a column of its own, not M0. A loan that is new rolls from nowhere.

CREATE OR REPLACE TEMP TABLE rolls_counted AS
WITH
pairs AS (
  SELECT
    month AS from_month, bucket AS from_bucket, balance_fen,
    CASE WHEN lead(month) OVER of_loan = last_day(month + INTERVAL 1 MONTH) THEN lead(bucket) OVER of_loan ELSE 'left' END AS to_bucket
  FROM aged
  WINDOW of_loan AS (PARTITION BY loan_id ORDER BY month)
)
SELECT from_month, from_bucket, to_bucket, count(*) AS loans, CAST(sum(balance_fen) AS BIGINT) AS balance_fen
FROM pairs, panel_end
WHERE from_month < seen_to AND from_bucket NOT IN ('paid', 'written_off')
GROUP BY from_month, from_bucket, to_bucket;
