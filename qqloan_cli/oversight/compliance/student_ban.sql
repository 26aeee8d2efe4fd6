-- grain:    an approved application
-- inputs:   made, verify, rules
-- leaves:   rule, made_in, subject, on_date, found (1: a student), allowed, amount_fen, breaks
SELECT rules.rule, made_in, subject, on_date, CAST(coalesce(student, false) AS DOUBLE) AS found, 0.0 AS allowed, amount_fen, coalesce(student, false) AS breaks
FROM made JOIN verify ON verify.run_id = made_in AND verify.application_id = subject
JOIN rules ON on_date BETWEEN from_date AND to_date
WHERE rules.topic = 'student_ban'
