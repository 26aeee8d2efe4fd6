-- grain:    a month's end and a bucket of days past due, of the last thirteen months, what is not late left out
-- inputs:   ageing (servicing/measured/ageing.sql)
-- leaves:   month, bucket, loans, balance_fen, share_of_balance
SELECT month, bucket, loans, balance_fen, share_of_balance
FROM ageing WHERE bucket NOT IN ('M0', 'paid', 'written_off') AND month > (SELECT max(month) FROM ageing) - INTERVAL 13 MONTH
ORDER BY month, bucket
