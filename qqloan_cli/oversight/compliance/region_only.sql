-- grain:    a contract whose borrower's region is known
-- inputs:   made, area (prefix), rules
-- leaves:   rule, made_in, subject, on_date, found (1: outside), allowed, amount_fen, breaks
SELECT rules.rule, made_in, subject, on_date, CAST(prefix IS NULL AS DOUBLE) AS found, 0.0 AS allowed, amount_fen, prefix IS NULL AS breaks
FROM made JOIN rules ON on_date BETWEEN from_date AND to_date
LEFT JOIN (SELECT DISTINCT region, any_value(prefix) AS prefix FROM (SELECT DISTINCT region FROM made) AS known JOIN area ON starts_with(known.region, area.prefix) GROUP BY region) AS inside USING (region)
WHERE rules.topic = 'region_only' AND made.region IS NOT NULL
