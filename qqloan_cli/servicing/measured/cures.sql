-- grain:    one row per month of default
-- inputs:   aged
-- leaves:   cures_counted
-- Default: more than 90 days late. Cured: not late at a later month's end. Again: in default after that.
CREATE OR REPLACE TEMP TABLE cures_counted AS
WITH
first_bad AS (SELECT loan_id, min(month) AS bad_on FROM aged WHERE worst_dpd > 90 GROUP BY loan_id),
cured AS (SELECT loan_id, bad_on, min(month) AS cured_on FROM first_bad JOIN aged USING (loan_id) WHERE month > bad_on AND bucket IN ('M0', 'paid') GROUP BY ALL),
again AS (SELECT loan_id, min(month) AS again_on FROM cured JOIN aged USING (loan_id) WHERE month > cured_on AND worst_dpd > 90 GROUP BY ALL)
SELECT date_trunc('month', bad_on)::DATE AS defaulted_in, count(*) AS defaults, count(cured_on) AS cured, count(again_on) AS again
FROM first_bad LEFT JOIN cured USING (loan_id, bad_on) LEFT JOIN again USING (loan_id)
GROUP BY defaulted_in;
