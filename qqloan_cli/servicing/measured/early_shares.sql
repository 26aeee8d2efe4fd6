-- grain:    one row per month of drawdown
-- inputs:   early_counted
-- leaves:   early
CREATE OR REPLACE TEMP TABLE early AS
SELECT cohort, loans, round(first_bad / nullif(first_seen, 0), 6) AS first_payment_default, round(early_bad / nullif(early_seen, 0), 6) AS early_payment_default
FROM early_counted;
