-- grain:    a source of funds of the latest date
-- inputs:   funding_sources
-- contract: subject (the source), value (used, of its capacity), rows (loans that it has a share in)
SELECT source AS subject, CAST(sum(used_fen) AS DOUBLE) / CAST(sum(capacity_fen) AS DOUBLE) AS value, CAST(sum(loans) AS BIGINT) AS "rows"
FROM funding_sources
WHERE age = 0
GROUP BY source
HAVING sum(capacity_fen) > 0
ORDER BY source
