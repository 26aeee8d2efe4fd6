-- grain:    a month of drawdown
-- inputs:   panel, loans
-- contract: cohort (first day of the month), n (loans whose first instalment could be 30 days late by now), bad (it was), pd and pd_variance (sums over them)
-- First-payment default: the first instalment is still unpaid 30 days on, as qqloan servicing measure --measure early has it.
WITH
seen AS (
  SELECT loan_id, max(drawn_on) AS drawn_on, bool_or(oldest_due_date = first_due_on AND dpd > 30) AS bad, max("month") > max(first_due_on) + 30 AS old_enough
  FROM panel GROUP BY loan_id
)
SELECT
  CAST(date_trunc('month', seen.drawn_on) AS DATE) AS cohort, count(*) AS n, count(*) FILTER (WHERE seen.bad) AS bad,
  CAST(sum(CAST(round(loans.pd * 1e9) AS HUGEINT)) AS DOUBLE) / 1e9 AS pd
FROM seen JOIN loans USING (loan_id)
WHERE seen.old_enough AND loans.pd IS NOT NULL
GROUP BY cohort
ORDER BY cohort
