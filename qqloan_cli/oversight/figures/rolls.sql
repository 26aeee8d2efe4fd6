-- grain:    a bucket and the bucket of the month after, of the last month
-- inputs:   rolls (servicing/measured/rolls.sql)
-- leaves:   from_bucket, to_bucket, loans, balance_fen, share_of_balance
SELECT from_bucket, to_bucket, loans, balance_fen, share_of_balance
FROM rolls WHERE from_month = (SELECT max(from_month) FROM rolls)
ORDER BY from_bucket, to_bucket
