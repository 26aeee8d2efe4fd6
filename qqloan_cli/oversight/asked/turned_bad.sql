-- grain:    a loan of the book whose window of 12 months has ended by the day
-- inputs:   panel, loans, days
-- contract: pd, grade, bad (more than 90 days late or written off at a month's end within 12 months on book), observed_at (end of its window)
WITH
worst AS (
  SELECT loan_id, bool_or(mob <= 12 AND (dpd > 90 OR status = 'written_off')) AS bad FROM panel GROUP BY loan_id
)
SELECT loans.pd, loans.grade, CAST(worst.bad AS INTEGER) AS bad, CAST(last_day(loans.drawn_on + INTERVAL 12 MONTH) AS DATE) AS observed_at
FROM worst JOIN loans USING (loan_id), days
WHERE loans.pd IS NOT NULL AND last_day(loans.drawn_on + INTERVAL 12 MONTH) <= days."at"
ORDER BY observed_at, loans.loan_id
