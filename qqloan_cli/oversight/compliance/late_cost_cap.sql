-- grain:    a loan of the book and a cap on interest, penalty and fees together
-- inputs:   loans, rules
-- leaves:   rule, made_in, subject, on_date, found (a year, on principal that is late), allowed, amount_fen, breaks
SELECT
  rules.rule, 'book' AS made_in, loan_id AS subject, drawn_on AS on_date, greatest(penalty_rate_ppm, annual_rate_ppm) / 1e6 AS found, rules.value / 1e6 AS allowed, principal_fen AS amount_fen,
  found > allowed AS breaks
FROM loans JOIN rules ON drawn_on BETWEEN from_date AND to_date
WHERE rules.topic = 'late_cost_cap'
