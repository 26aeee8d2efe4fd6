-- grain:    an input and a rule that rows of it broke, on the latest date
-- inputs:   quarantine
-- leaves:   input, rule, rows, rows_before (on the date before)
SELECT input, rule, count(*) FILTER (WHERE age = 0) AS rows, count(*) FILTER (WHERE age = 1) AS rows_before
FROM quarantine WHERE age <= 1 GROUP BY input, rule HAVING count(*) FILTER (WHERE age = 0) > 0 ORDER BY rows DESC, input, rule LIMIT 20
