-- grain:    one row per month of drawdown and month on book
-- inputs:   aged
-- leaves:   vintages_counted: loans that are seen from then on, and those that are so many days late for the first time

CREATE OR REPLACE TEMP TABLE vintages_counted AS
WITH
loans AS (
  SELECT
    date_trunc('month', any_value(drawn_on))::DATE AS cohort, any_value(principal_fen) AS principal_fen, min(mob) AS seen_from, max(mob) AS seen_to,
    min(mob) FILTER (WHERE worst_dpd > 30) AS late_30, min(mob) FILTER (WHERE worst_dpd > 60) AS late_60, min(mob) FILTER (WHERE worst_dpd > 90) AS late_90
  FROM aged GROUP BY loan_id
),
happened AS (
  SELECT cohort, principal_fen, unnest(['seen', '30', '60', '90', 'end']) AS what, unnest([seen_from, late_30, late_60, late_90, seen_to]) AS mob FROM loans
)
SELECT
  cohort, mob,
  count(*) FILTER (WHERE what = 'seen') AS loans, CAST(coalesce(sum(principal_fen) FILTER (WHERE what = 'seen'), 0) AS BIGINT) AS principal_fen,
  count(*) FILTER (WHERE what = '30') AS late_30, count(*) FILTER (WHERE what = '60') AS late_60, count(*) FILTER (WHERE what = '90') AS late_90,
  CAST(coalesce(sum(principal_fen) FILTER (WHERE what = '30'), 0) AS BIGINT) AS late_30_fen,
  CAST(coalesce(sum(principal_fen) FILTER (WHERE what = '90'), 0) AS BIGINT) AS late_90_fen
FROM happened WHERE mob IS NOT NULL
GROUP BY cohort, mob;
