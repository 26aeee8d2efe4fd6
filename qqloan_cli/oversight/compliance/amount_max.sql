-- grain:    a person with approvals of the latest date, or with loans in the book, and a cap on what one person may owe
-- inputs:   made, runs, links, state, loans, products, rules
-- leaves:   rule, made_in, subject (the person), on_date, found (yuan: approved and held here; or outstanding), allowed, amount_fen, breaks
WITH
approved AS (
  SELECT
    made.made_in, made.applicant_id, made.product_kind, max(made.on_date) AS on_date, CAST(sum(made.amount_fen) AS BIGINT) AS new_fen, CAST(max(coalesce(links.exposure_fen, 0)) AS BIGINT) AS held_fen
  FROM made
  JOIN runs ON runs.run_id = made.made_in AND runs.age = 0
  LEFT JOIN links ON links.run_id = made.made_in AND links.application_id = made.subject
  GROUP BY made.made_in, made.applicant_id, made.product_kind
),
owing AS (
  SELECT 'book' AS made_in, loans.applicant_id, products.kind AS product_kind, max(drawn_on) AS on_date, CAST(sum(state.principal_fen) AS BIGINT) AS new_fen, CAST(0 AS BIGINT) AS held_fen
  FROM loans JOIN state USING (loan_id) LEFT JOIN products USING (product)
  WHERE state.status IN ('current', 'overdue') GROUP BY loans.applicant_id, products.kind
)
SELECT
  rules.rule, made_in, applicant_id AS subject, on_date, (new_fen + held_fen) / 100 AS found, rules.value / 100 AS allowed, new_fen AS amount_fen, new_fen + held_fen > rules.value AS breaks
FROM (FROM approved UNION ALL BY NAME FROM owing) AS persons
JOIN rules ON on_date BETWEEN from_date AND to_date AND (rules.product_kind IS NULL OR rules.product_kind = persons.product_kind)
WHERE rules.topic = 'amount_max'
