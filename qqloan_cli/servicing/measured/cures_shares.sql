-- grain:    one row per month of default
-- inputs:   cures_counted
-- leaves:   cures
CREATE OR REPLACE TEMP TABLE cures AS
SELECT defaulted_in, defaults, cured, again, round(cured / defaults, 6) AS cure_rate, round(again / nullif(cured, 0), 6) AS redefault_rate
FROM cures_counted;
