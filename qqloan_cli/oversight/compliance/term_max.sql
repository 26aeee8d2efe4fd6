-- grain:    a contract and a longest term that was in force on its day
-- inputs:   made, rules
-- leaves:   rule, made_in, subject, on_date, found (months), allowed, amount_fen, breaks
SELECT rules.rule, made_in, subject, on_date, CAST(term_months AS DOUBLE) AS found, CAST(rules.value AS DOUBLE) AS allowed, amount_fen, term_months > rules.value AS breaks
FROM made
JOIN rules ON on_date BETWEEN from_date AND to_date AND (rules.product_kind IS NULL OR rules.product_kind = made.product_kind) AND (rules.method IS NULL OR rules.method = made.method)
WHERE rules.topic = 'term_max'
