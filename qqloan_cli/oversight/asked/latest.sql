-- grain:    an input of the latest date
-- inputs:   the inputs that have dates
-- contract: subject (the input), value (days from its latest date to the as-of date, nothing later counted), rows. Of monthly inputs the
--           date is the first of the month.
WITH
dated AS (
  SELECT 'applicants' AS input, as_of, max(CAST(applied_at AS DATE)) FILTER (WHERE applied_at < as_of + 1) AS latest, count(*) AS n FROM applicants WHERE age = 0 GROUP BY as_of
  UNION ALL SELECT 'payroll', as_of, max(pay_date) FILTER (WHERE pay_date <= as_of), count(*) FROM payroll WHERE age = 0 GROUP BY as_of
  UNION ALL SELECT 'provident_fund', as_of, max("month") FILTER (WHERE "month" <= as_of), count(*) FROM provident_fund WHERE age = 0 GROUP BY as_of
  UNION ALL SELECT 'bank_statements', as_of, max(CAST(booked_at AS DATE)) FILTER (WHERE booked_at < as_of + 1), count(*) FROM bank_statements WHERE age = 0 GROUP BY as_of
  UNION ALL SELECT 'credit_inquiries', as_of, max(inquired_at) FILTER (WHERE inquired_at <= as_of), count(*) FROM credit_inquiries WHERE age = 0 GROUP BY as_of
  UNION ALL SELECT 'wealth', as_of, max("month") FILTER (WHERE "month" <= as_of), count(*) FROM wealth WHERE age = 0 GROUP BY as_of
  UNION ALL SELECT 'social_activity', as_of, max("month") FILTER (WHERE "month" <= as_of), count(*) FROM social_activity WHERE age = 0 GROUP BY as_of
)
SELECT input AS subject, CAST(as_of - latest AS DOUBLE) AS value, n AS "rows" FROM dated ORDER BY subject
