-- grain:    a measure of the book on the day
-- inputs:   state, ledger, days, exceptions
-- contract: measure, subject, value, rows. Money in yuan. A loan counts as late by days past due, with what is outstanding of it.
WITH
standing AS (
  SELECT
    count(*) FILTER (WHERE status IN ('current', 'overdue'))                                                                                AS n,
    CAST(coalesce(sum(principal_fen) FILTER (WHERE status IN ('current', 'overdue')), 0) AS DOUBLE)                                         AS outstanding,
    CAST(coalesce(sum(principal_fen) FILTER (WHERE status = 'overdue' AND dpd > 30), 0) AS DOUBLE)                                          AS late_30,
    CAST(coalesce(sum(principal_fen) FILTER (WHERE status = 'overdue' AND dpd > 90), 0) AS DOUBLE)                                          AS late_90,
    count(*) FILTER (WHERE status = 'broken')                                                                                              AS broken
  FROM state
),
booked AS (
  SELECT
    count(*) AS n, CAST(coalesce(sum(CAST(debit_fen AS HUGEINT) - credit_fen), 0) AS DOUBLE) / 100                                          AS unbalanced,
    CAST(coalesce(sum(CAST(credit_fen AS HUGEINT) - debit_fen) FILTER (WHERE account = 'unmatched'), 0) AS DOUBLE) / 100                    AS unmatched,
    count(*) FILTER (WHERE account = 'unmatched')                                                                                          AS unmatched_n
  FROM ledger, days
  WHERE posted_at <= days."at"
),
aside AS (
  SELECT reason, count(*) AS n FROM exceptions GROUP BY reason
)
SELECT 'overdue-30-share' AS measure, CAST(NULL AS VARCHAR) AS subject, late_30 / outstanding AS value, n AS "rows" FROM standing WHERE outstanding > 0
UNION ALL SELECT 'overdue-90-share', NULL, late_90 / outstanding, n FROM standing WHERE outstanding > 0
UNION ALL SELECT 'broken-loans', NULL, CAST(broken AS DOUBLE), n FROM standing
UNION ALL SELECT 'ledger-imbalance', NULL, abs(unbalanced), n FROM booked
UNION ALL SELECT 'unmatched-money', NULL, unmatched, unmatched_n FROM booked
UNION ALL SELECT 'ledger-exceptions', NULL, CAST((SELECT coalesce(sum(n), 0) FROM aside) AS DOUBLE), (SELECT coalesce(sum(n), 0) FROM aside)
ORDER BY measure, subject NULLS FIRST
