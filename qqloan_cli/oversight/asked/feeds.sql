-- grain:    an input and date of runs that any of the dates has
-- inputs:   the inputs that are about applicants
-- contract: subject (the input), as_of, age, value (rows an application), rows. An input that came on an earlier date and not on this has 0.
WITH
came AS (
  SELECT 'payroll' AS input, as_of, count(*) AS n FROM payroll GROUP BY as_of
  UNION ALL SELECT 'provident_fund', as_of, count(*) FROM provident_fund GROUP BY as_of
  UNION ALL SELECT 'bank_statements', as_of, count(*) FROM bank_statements GROUP BY as_of
  UNION ALL SELECT 'credit_accounts', as_of, count(*) FROM credit_accounts GROUP BY as_of
  UNION ALL SELECT 'credit_inquiries', as_of, count(*) FROM credit_inquiries GROUP BY as_of
  UNION ALL SELECT 'wealth', as_of, count(*) FROM wealth GROUP BY as_of
  UNION ALL SELECT 'social_activity', as_of, count(*) FROM social_activity GROUP BY as_of
  UNION ALL SELECT 'social_edges', as_of, count(*) FROM social_edges GROUP BY as_of
),
batches AS (
  SELECT as_of, age, count(*) AS applications FROM applicants GROUP BY as_of, age
)
SELECT
  inputs.input AS subject, as_of, age, CAST(coalesce(came.n, 0) AS DOUBLE) / applications AS value, CAST(coalesce(came.n, 0) AS BIGINT) AS "rows"
FROM batches
CROSS JOIN (SELECT DISTINCT input FROM came) AS inputs
LEFT JOIN came USING (input, as_of)
ORDER BY subject, age
