-- grain:    a month of the risk reserve pool
-- inputs:   reserve_months (servicing/reserve/pool.py: its history)
-- leaves:   month, opening_fen, contributed_fen, compensation_fen, recovered_fen, closing_fen
SELECT month, opening_fen, contributed_of_drawn_fen + contributed_of_interest_fen AS contributed_fen, compensation_fen, recovered_fen, closing_fen
FROM reserve_months ORDER BY month DESC LIMIT 25
