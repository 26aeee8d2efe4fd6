-- grain:    an approved application whose purpose is known
-- inputs:   made, rules, banned (rule, purpose)
-- leaves:   rule, made_in, subject, on_date, found (1: a purpose that is banned), allowed, amount_fen, breaks
SELECT rules.rule, made_in, subject, on_date, CAST(banned.purpose IS NOT NULL AS DOUBLE) AS found, 0.0 AS allowed, amount_fen, banned.purpose IS NOT NULL AS breaks
FROM made
JOIN rules ON on_date BETWEEN from_date AND to_date AND (rules.product_kind IS NULL OR rules.product_kind = made.product_kind)
LEFT JOIN banned ON banned.rule = rules.rule AND banned.purpose = made.purpose
WHERE rules.topic = 'purpose_ban' AND made.purpose IS NOT NULL
