-- grain:    an approved application of which money goes to the borrower, and the most that may where the payee is not known
-- inputs:   made, disburse_plan, rules
-- leaves:   rule, made_in, subject, on_date, found (yuan, to the borrower), allowed, amount_fen, breaks
WITH to_borrower AS (
  SELECT run_id AS made_in, application_id AS subject, CAST(sum(amount_fen) AS BIGINT) AS paid_fen FROM disburse_plan WHERE payee_kind = 'borrower' GROUP BY run_id, application_id
)
SELECT rules.rule, made_in, subject, on_date, paid_fen / 100 AS found, rules.value / 100 AS allowed, amount_fen, paid_fen > rules.value AS breaks
FROM made JOIN to_borrower USING (made_in, subject)
JOIN rules ON on_date BETWEEN from_date AND to_date AND (rules.product_kind IS NULL OR rules.product_kind = made.product_kind)
WHERE rules.topic = 'self_payment_max'
