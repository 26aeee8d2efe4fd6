-- grain:    one row per month of drawdown and month on book
-- inputs:   vintages_counted
-- leaves:   vintages: ever so many days late by then, of the loans of the cohort

CREATE OR REPLACE TEMP TABLE vintages AS
WITH
reached AS (SELECT cohort, unnest(range(0, max(mob) + 1)) AS mob, CAST(sum(loans) AS BIGINT) AS loans, CAST(sum(principal_fen) AS BIGINT) AS principal_fen FROM vintages_counted GROUP BY cohort),
by_then AS (
  SELECT
    reached.*, sum(late_30) OVER by_mob AS late_30, sum(late_60) OVER by_mob AS late_60, sum(late_90) OVER by_mob AS late_90,
    sum(late_30_fen) OVER by_mob AS late_30_fen, sum(late_90_fen) OVER by_mob AS late_90_fen
  FROM reached LEFT JOIN vintages_counted AS counted USING (cohort, mob)
  WINDOW by_mob AS (PARTITION BY cohort ORDER BY mob)
)
SELECT
  cohort, mob, loans, principal_fen,
  round(coalesce(late_30, 0) / loans, 6) AS ever_30, round(coalesce(late_60, 0) / loans, 6) AS ever_60, round(coalesce(late_90, 0) / loans, 6) AS ever_90,
  round(coalesce(late_30_fen, 0) / principal_fen, 6) AS ever_30_of_principal, round(coalesce(late_90_fen, 0) / principal_fen, 6) AS ever_90_of_principal
FROM by_then;
