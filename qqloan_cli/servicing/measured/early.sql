-- grain:    one row per month of drawdown
-- inputs:   aged, panel_end (seen_to)
-- leaves:   early_counted
-- First-payment default: the first instalment is still unpaid 30 days on. Early-payment default: more than 90 days late within six months.
-- Of loans that were seen for so long or ended before; and of a cohort that is so old, those that were that late and then left the panel.
CREATE OR REPLACE TEMP TABLE early_counted AS
WITH
loans AS (
  SELECT
    loan_id, date_trunc('month', any_value(drawn_on))::DATE AS cohort,
    coalesce(bool_or(oldest_due_date = first_due_on AND dpd > 30), false) AS first_payment, max(month) > any_value(first_due_on) + 30 AS first_seen,
    bool_or(worst_dpd > 90 AND mob <= 6) AS early,
    max(mob) >= 6 OR bool_or(bucket IN ('paid', 'written_off')) OR early AND any_value(datediff('month', drawn_on, seen_to)) >= 6 AS early_seen
  FROM aged, panel_end GROUP BY loan_id
)
SELECT
  cohort, count(*) AS loans, count(*) FILTER (WHERE first_seen) AS first_seen, count(*) FILTER (WHERE first_seen AND first_payment) AS first_bad,
  count(*) FILTER (WHERE early_seen) AS early_seen, count(*) FILTER (WHERE early_seen AND early) AS early_bad
FROM loans GROUP BY cohort;
