-- grain:    an application of the book whose twelve months from the first drawdown have ended by the day
-- inputs:   panel, loans, days
-- contract: pd, grade, bad (one of its loans was more than 90 days late, or written off, at a month's end within the twelve months),
--           observed_at (their end). Tranches of one borrower are no outcomes of their own: they go bad together.
WITH
first_drawn AS (
  SELECT
    application_id, last_day(min(drawn_on) + INTERVAL 12 MONTH) AS until, min_by(pd, (drawn_on, loan_id)) AS pd, min_by(grade, (drawn_on, loan_id)) AS grade
  FROM loans
  WHERE pd IS NOT NULL
  GROUP BY application_id
),
ended AS (
  SELECT first_drawn.* FROM first_drawn, days WHERE until <= days."at"
),
worst AS (
  SELECT application_id, bool_or(dpd > 90 OR panel.status = 'written_off') AS bad
  FROM panel JOIN loans USING (loan_id) JOIN ended USING (application_id)
  WHERE panel."month" <= ended.until
  GROUP BY application_id
)
SELECT ended.pd, ended.grade, CAST(worst.bad AS INTEGER) AS bad, CAST(ended.until AS DATE) AS observed_at
FROM worst JOIN ended USING (application_id)
ORDER BY observed_at, application_id
