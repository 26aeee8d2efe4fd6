-- grain:    a source of evidence, over the latest date's applications
-- inputs:   income, credit, social
-- leaves:   evidence, applications, share (that have it), share_before (on the date before)
WITH
found AS (
  SELECT
    income.age, count(*) AS applications, count(*) FILTER (WHERE payroll_months > 0) AS payroll, count(*) FILTER (WHERE fund_months > 0) AS provident_fund,
    count(*) FILTER (WHERE statement_months > 0) AS bank_statements, count(*) FILTER (WHERE income_confidence = 'none') AS no_income
  FROM income WHERE age <= 1 GROUP BY income.age
),
reported AS (SELECT age, count(*) FILTER (WHERE history <> 'none') AS credit_report FROM credit WHERE age <= 1 GROUP BY age),
seen AS (SELECT age, count(*) FILTER (WHERE social_score IS NOT NULL) AS social FROM social WHERE age <= 1 GROUP BY age),
told AS (
  SELECT age, applications AS people, unnest([
    {'evidence': 'payroll', 'applications': payroll}, {'evidence': 'provident_fund', 'applications': provident_fund}, {'evidence': 'bank_statements', 'applications': bank_statements},
    {'evidence': 'credit_report', 'applications': credit_report}, {'evidence': 'social', 'applications': social}, {'evidence': 'no_income', 'applications': no_income}
  ], recursive := true)
  FROM found LEFT JOIN reported USING (age) LEFT JOIN seen USING (age)
)
SELECT
  evidence, any_value(applications) FILTER (WHERE age = 0) AS applications, round(any_value(applications / people) FILTER (WHERE age = 0), 6) AS share,
  round(any_value(applications / people) FILTER (WHERE age = 1), 6) AS share_before
FROM told GROUP BY evidence ORDER BY evidence
