-- grain:    one row per month of drawdown and month on book
-- inputs:   aged
-- leaves:   vintages: ever so many days late by then, of the loans of the cohort

CREATE OR REPLACE TEMP TABLE vintages AS
WITH
ever AS (
  SELECT loan_id, date_trunc('month', drawn_on)::DATE AS cohort, mob, principal_fen, max(worst_dpd) OVER (PARTITION BY loan_id ORDER BY mob) AS worst
  FROM aged
),
reached AS (SELECT DISTINCT date_trunc('month', drawn_on)::DATE AS cohort, unnest(range(0, max(mob) OVER (PARTITION BY date_trunc('month', drawn_on)) + 1)) AS mob FROM aged),
loans AS (SELECT loan_id, date_trunc('month', any_value(drawn_on))::DATE AS cohort, any_value(principal_fen) AS principal_fen FROM aged GROUP BY loan_id),
by_then AS (
  SELECT loans.loan_id, reached.cohort, reached.mob, loans.principal_fen, coalesce(ever.worst, 0) AS worst
  FROM reached JOIN loans USING (cohort)
  ASOF LEFT JOIN ever ON ever.loan_id = loans.loan_id AND ever.mob <= reached.mob
)
SELECT
  cohort, mob, count(*) AS loans, CAST(sum(principal_fen) AS BIGINT) AS principal_fen,
  round(avg(CAST(worst > 30 AS INTEGER)), 6) AS ever_30, round(avg(CAST(worst > 60 AS INTEGER)), 6) AS ever_60, round(avg(CAST(worst > 90 AS INTEGER)), 6) AS ever_90,
  round(coalesce(sum(principal_fen) FILTER (WHERE worst > 30), 0) / sum(principal_fen), 6) AS ever_30_of_principal,
  round(coalesce(sum(principal_fen) FILTER (WHERE worst > 90), 0) / sum(principal_fen), 6) AS ever_90_of_principal
FROM by_then GROUP BY cohort, mob;
