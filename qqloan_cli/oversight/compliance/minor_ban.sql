-- grain:    an approved application
-- inputs:   made, verify, rules
-- leaves:   rule, made_in, subject, on_date, found (years of age; null: not known), allowed (from), amount_fen, breaks
SELECT rules.rule, made_in, subject, on_date, CAST(age_years AS DOUBLE) AS found, 18.0 AS allowed, amount_fen, coalesce(age_years < 18, false) AS breaks
FROM made JOIN verify ON verify.run_id = made_in AND verify.application_id = subject
JOIN rules ON on_date BETWEEN from_date AND to_date
WHERE rules.topic = 'minor_ban'
