-- grain:    one row per line and month of observation, every so many months back from the panel's last
-- inputs:   months (line_id, month, dpd, ended, written_off, instalments_fallen, and columns of the contract line_months, NULL where the panel does not say),
--           variables horizon (months), every (months), bad_dpd (days: more is bad); lateness: SQL of LATENESS over d0 ... d12 stands for /*lateness*/, lags for /*lags*/
-- leaves:   observed: line_id, month, bad (NULL: not known), and what the score looks at
-- Bad is M3 or worse, or written off, at the end of any of the months of the horizon. A line that was paid off meanwhile stayed good; one that
-- is lost from sight is not known. What is M3 or worse already is no question any more, and where no instalment fell due there is no behaviour.

CREATE OR REPLACE TEMP TABLE observed AS
WITH
counted AS (
  SELECT *, datediff('month', month, max(month) OVER ()) AS from_last FROM months
),
with_past AS (
  SELECT *, dpd AS d0, /*lags*/
    max(CAST(dpd > getvariable('bad_dpd') OR written_off AS INTEGER)) OVER ahead                 AS went_bad,
    bool_or(ended) OVER ahead                                                                    AS ended_ahead,
    max(month) OVER ahead                                                                        AS seen_to
  FROM counted
  WINDOW
    line AS (PARTITION BY line_id ORDER BY month),
    ahead AS (PARTITION BY line_id ORDER BY month RANGE BETWEEN INTERVAL 1 DAY FOLLOWING AND getvariable('ahead') FOLLOWING)
)
SELECT
  line_id, month,
  CASE WHEN went_bad = 1 THEN 1 WHEN ended_ahead OR datediff('month', month, seen_to) >= getvariable('horizon') THEN 0 END  AS bad,
  /*lateness*/
FROM with_past
WHERE from_last >= getvariable('horizon') AND (from_last - getvariable('horizon')) % getvariable('every') = 0
  AND NOT ended AND NOT written_off AND (dpd IS NULL OR dpd <= getvariable('bad_dpd')) AND instalments_fallen > 0;
