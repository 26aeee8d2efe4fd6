-- grain:    a month of drawdown
-- inputs:   panel, loans
-- contract: cohort (first day of the month), n (borrowers' first loans whose first instalment could be 30 days late by now), bad (it was), pd (sum)
-- First-payment default: the first instalment is still unpaid 30 days on, as qqloan servicing measure --measure early has it.
WITH
first_loans AS (
  SELECT loan_id, pd FROM loans WHERE pd IS NOT NULL QUALIFY row_number() OVER (PARTITION BY application_id ORDER BY drawn_on, loan_id) = 1
),
seen AS (
  SELECT
    loan_id, max(panel.drawn_on) AS drawn_on, max(first_loans.pd) AS pd, coalesce(bool_or(oldest_due_date = first_due_on AND dpd > 30), false) AS bad,
    max("month") > max(first_due_on) + 30 AS old_enough
  FROM panel JOIN first_loans USING (loan_id)
  GROUP BY loan_id
)
SELECT
  CAST(date_trunc('month', drawn_on) AS DATE) AS cohort, count(*) AS n, count(*) FILTER (WHERE bad) AS bad,
  CAST(sum(CAST(round(pd * 1e9) AS HUGEINT)) AS DOUBLE) / 1e9 AS pd
FROM seen
WHERE old_enough
GROUP BY cohort
ORDER BY cohort
