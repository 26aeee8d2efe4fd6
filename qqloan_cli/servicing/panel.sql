-- grain:    one row per loan and end of a month, from that of its drawdown to that in which nothing is left of it
-- inputs:   kept_months (contract months: of loans of which nothing more was learnt since), seen_months (of those that were replayed, from the
--           month before the first on), book_loans, first_due (loan_id, first_due_on); variable first (end of the first month)
-- leaves:   panel (contract panel)

CREATE OR REPLACE TEMP TABLE panel AS
WITH
replayed AS (
  SELECT * EXCLUDE (known_from, known_to) FROM seen_months
  QUALIFY status <> 'paid' OR coalesce(lag(status) OVER (PARTITION BY loan_id ORDER BY month), '') <> 'paid'
),
every_month AS (
  SELECT * FROM kept_months
  UNION ALL BY NAME
  SELECT * FROM replayed WHERE month >= getvariable('first')
)
SELECT
  every_month.*, datediff('month', drawn_on, month) AS mob, principal_fen, drawn_on, first_due_on, product, region, grade
FROM every_month
JOIN book_loans USING (loan_id)
JOIN first_due USING (loan_id);
