-- grain:    a contract and a cap on its all-in annual cost that was in force on its day
-- inputs:   made, rules, own (legal_is_effective)
-- leaves:   rule, made_in, subject, on_date, found (the higher of what was said and what the instalments come to), allowed, amount_fen, breaks
--           A thousandth of a percentage point is what rounding instalments to the fen may move it by.
SELECT
  rules.rule, made_in, subject, on_date, greatest(CASE WHEN legal_is_effective THEN cost_effective ELSE cost_nominal END, cost_said) AS found, rules.value / 1e6 AS allowed, amount_fen,
  found > allowed + 0.00005 OR found IS NULL AS breaks
FROM made, own
JOIN rules ON on_date BETWEEN from_date AND to_date AND (rules.product_kind IS NULL OR rules.product_kind = made.product_kind) AND (rules.method IS NULL OR rules.method = made.method)
WHERE rules.topic = 'price_cap'
