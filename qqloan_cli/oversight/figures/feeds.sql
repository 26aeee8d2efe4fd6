-- grain:    an input
-- inputs:   run_inputs, runs
-- leaves:   input, files, rows, rows_an_applicant, rows_an_applicant_before
WITH
read_in AS (SELECT age, input, count(*) AS files, CAST(sum(rows) AS BIGINT) AS rows FROM run_inputs WHERE age <= 1 GROUP BY age, input),
people AS (SELECT age, sum(accepted) AS applicants FROM runs WHERE age <= 1 GROUP BY age),
told AS (SELECT read_in.*, rows / nullif(applicants, 0) AS an_applicant FROM read_in JOIN people USING (age))
SELECT
  input, any_value(files) FILTER (WHERE age = 0) AS files, any_value(rows) FILTER (WHERE age = 0) AS rows,
  round(any_value(an_applicant) FILTER (WHERE age = 0), 3) AS rows_an_applicant, round(any_value(an_applicant) FILTER (WHERE age = 1), 3) AS rows_an_applicant_before
FROM told GROUP BY input ORDER BY input
