-- grain:    one row per loan and month
-- inputs:   panel: loan_id, month, dpd, status, balance_fen, mob, drawn_on, first_due_on, oldest_due_date, principal_fen
-- leaves:   aged: the panel with its bucket, and how late it counts for `ever so many days late`
--
-- Buckets: M0 not late, M1 1 to 30 days, M2 31 to 60, ... M6 151 to 180, M6+ beyond; paid and written_off are left for good.

CREATE OR REPLACE TEMP TABLE aged AS
SELECT
  * EXCLUDE (status),
  CASE
    WHEN status IN ('paid', 'written_off') THEN status
    WHEN dpd = 0 THEN 'M0'
    WHEN dpd <= 180 THEN 'M' || ((dpd + 29) // 30)
    ELSE 'M6+'
  END AS bucket,
  CASE WHEN status = 'written_off' THEN 1000 WHEN status = 'paid' THEN 0 ELSE dpd END AS worst_dpd
FROM panel;
