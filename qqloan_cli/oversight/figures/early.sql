-- grain:    a month of drawdown, of the last twelve
-- inputs:   early (servicing/measured/early.sql)
-- leaves:   cohort, loans, first_payment_default, early_payment_default
SELECT cohort, loans, first_payment_default, early_payment_default FROM early ORDER BY cohort DESC LIMIT 12
