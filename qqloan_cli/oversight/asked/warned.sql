-- grain:    a warning of the latest date's runs
-- inputs:   run_warnings
-- contract: subject (its reference), value (how often), rows (runs)
SELECT ref AS subject, CAST(count(*) AS DOUBLE) AS value, count(DISTINCT run_id) AS "rows" FROM run_warnings WHERE age = 0 GROUP BY ref ORDER BY ref
