-- grain:    a grade of the book's loans
-- inputs:   panel, loans
-- leaves:   grade, loans, expected_bad_rate (mean pd at the decision, of twelve months), ever_30, ever_90, months_on_book (mean): what has shown so far
WITH
worst AS (
  SELECT loan_id, max(CASE WHEN status = 'written_off' THEN 1000 ELSE dpd END) AS worst_dpd, max(mob) AS months_on_book
  FROM panel WHERE mob <= 12 GROUP BY loan_id
)
SELECT
  grade, count(*) AS loans, round(avg(pd), 6) AS expected_bad_rate, round(count(*) FILTER (WHERE worst_dpd > 30) / count(*), 6) AS ever_30,
  round(count(*) FILTER (WHERE worst_dpd > 90) / count(*), 6) AS ever_90, round(avg(months_on_book), 1) AS months_on_book
FROM loans JOIN worst USING (loan_id) GROUP BY grade ORDER BY grade
