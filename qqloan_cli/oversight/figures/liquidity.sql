-- grain:    a day on which money is to leave, and who funds it
-- inputs:   cash_calendar
-- leaves:   pay_date, source, out_fen, daily_cash_fen, left_fen
SELECT pay_date, source, CAST(sum(out_fen) AS BIGINT) AS out_fen, CAST(max(daily_cash_fen) AS BIGINT) AS daily_cash_fen, CAST(min(left_fen) AS BIGINT) AS left_fen
FROM cash_calendar WHERE age = 0 GROUP BY pay_date, source ORDER BY pay_date, source
