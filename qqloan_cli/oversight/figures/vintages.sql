-- grain:    a month of drawdown, of the last twelve, and a month on book
-- inputs:   vintages (servicing/measured/vintages.sql)
-- leaves:   cohort, mob, loans, ever_30, ever_90, ever_30_of_principal
SELECT cohort, mob, loans, ever_30, ever_90, ever_30_of_principal
FROM vintages WHERE cohort IN (SELECT DISTINCT cohort FROM vintages ORDER BY cohort DESC LIMIT 12)
ORDER BY cohort, mob
