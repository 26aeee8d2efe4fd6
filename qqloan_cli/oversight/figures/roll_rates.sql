-- grain:    a month and a step to the next worse bucket, of the last thirteen months
-- inputs:   rolls (servicing/measured/rolls.sql)
-- leaves:   month, step, share_of_balance (that rolled to the next worse bucket), balance_fen (that it is a share of)
WITH
steps AS (SELECT unnest(['M0', 'M1', 'M2', 'M3']) AS from_bucket, unnest(['M1', 'M2', 'M3', 'M4']) AS to_bucket),
stood AS (SELECT from_month, from_bucket, CAST(sum(balance_fen) AS BIGINT) AS balance_fen FROM rolls GROUP BY from_month, from_bucket),
rolled AS (SELECT from_month, from_bucket, share_of_balance FROM rolls SEMI JOIN steps USING (from_bucket, to_bucket))
SELECT last_day(from_month + INTERVAL 1 MONTH) AS month, from_bucket || ' > ' || to_bucket AS step, coalesce(share_of_balance, 0) AS share_of_balance, balance_fen
FROM stood JOIN steps USING (from_bucket) LEFT JOIN rolled USING (from_month, from_bucket)
WHERE from_month > (SELECT max(from_month) FROM rolls) - INTERVAL 13 MONTH
ORDER BY month, step
