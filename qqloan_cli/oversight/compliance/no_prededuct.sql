-- grain:    an approved application with a disbursement plan
-- inputs:   made, disburse_plan, rules
-- leaves:   rule, made_in, subject, on_date, found (yuan that are paid out), allowed (yuan of the contract), amount_fen, breaks
WITH paid AS (SELECT run_id AS made_in, application_id AS subject, CAST(sum(amount_fen) AS BIGINT) AS paid_fen FROM disburse_plan GROUP BY run_id, application_id)
SELECT rules.rule, made_in, subject, on_date, paid_fen / 100 AS found, amount_fen / 100 AS allowed, amount_fen, paid_fen <> amount_fen AS breaks
FROM made JOIN paid USING (made_in, subject) JOIN rules ON on_date BETWEEN from_date AND to_date
WHERE rules.topic = 'no_prededuct'
