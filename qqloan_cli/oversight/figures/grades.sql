-- grain:    a grade of the latest date's applications
-- inputs:   decisions
-- leaves:   grade, applications, approved, approval_rate, expected_bad_rate (of all), expected_bad_rate_of_approved, amount_fen
SELECT
  grade, count(*) AS applications, count(*) FILTER (WHERE decision = 'approve') AS approved, round(approved / applications, 6) AS approval_rate,
  round(avg(pd), 6) AS expected_bad_rate, round(avg(pd) FILTER (WHERE decision = 'approve'), 6) AS expected_bad_rate_of_approved, CAST(sum(amount_fen) AS BIGINT) AS amount_fen
FROM decisions WHERE age = 0 GROUP BY grade ORDER BY grade
