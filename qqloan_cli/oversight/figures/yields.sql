-- grain:    a month of value, of the last thirteen
-- inputs:   yields (servicing/portfolio.sql)
-- leaves:   month, closing_fen, interest_fen, fees_fen, lost_fen, recovered_fen, net_yield, cpr
SELECT month, closing_fen, interest_fen, fees_fen, lost_fen, recovered_fen, net_yield, cpr FROM yields ORDER BY month DESC LIMIT 13
