-- grain:    what moved in the book on the day, and how many loans became so many days late on it
-- inputs:   state, ledger, days
-- leaves:   measure, loans, amount_fen
WITH
booked AS (
  SELECT
    CAST(sum(debit_fen) FILTER (WHERE account = 'principal' AND event_id = 'drawdown') AS BIGINT) AS drawn_fen,
    count(DISTINCT loan_id) FILTER (WHERE account = 'principal' AND event_id = 'drawdown') AS drawn,
    CAST(sum(debit_fen - credit_fen) FILTER (WHERE account = 'cash' AND event_id <> 'drawdown') AS BIGINT) AS received_fen,
    count(DISTINCT loan_id) FILTER (WHERE account = 'cash' AND event_id <> 'drawdown') AS received,
    CAST(sum(debit_fen - credit_fen) FILTER (WHERE account = 'written_off') AS BIGINT) AS written_off_fen,
    count(DISTINCT loan_id) FILTER (WHERE account = 'written_off') AS written_off,
    CAST(sum(credit_fen - debit_fen) FILTER (WHERE account = 'recovery') AS BIGINT) AS recovered_fen,
    count(DISTINCT loan_id) FILTER (WHERE account = 'recovery') AS recovered
  FROM ledger, days WHERE posted_at = days.at
),
late AS (
  SELECT
    count(*) FILTER (WHERE dpd = 1) AS days_1, CAST(sum(principal_fen) FILTER (WHERE dpd = 1) AS BIGINT) AS days_1_fen,
    count(*) FILTER (WHERE dpd = 31) AS days_31, CAST(sum(principal_fen) FILTER (WHERE dpd = 31) AS BIGINT) AS days_31_fen,
    count(*) FILTER (WHERE dpd = 91) AS days_91, CAST(sum(principal_fen) FILTER (WHERE dpd = 91) AS BIGINT) AS days_91_fen,
    count(*) FILTER (WHERE status IN ('current', 'overdue')) AS live, CAST(sum(principal_fen) FILTER (WHERE status IN ('current', 'overdue')) AS BIGINT) AS live_fen,
    count(*) FILTER (WHERE status = 'overdue') AS overdue, CAST(sum(principal_fen) FILTER (WHERE status = 'overdue') AS BIGINT) AS overdue_fen,
    count(*) FILTER (WHERE restated) AS restated, CAST(sum(principal_fen) FILTER (WHERE restated) AS BIGINT) AS restated_fen,
    count(*) FILTER (WHERE status = 'broken') AS broken
  FROM state WHERE status IN ('current', 'overdue', 'broken')
)
SELECT unnest([
  {'measure': 'outstanding', 'loans': live, 'amount_fen': coalesce(live_fen, 0)},
  {'measure': 'overdue', 'loans': overdue, 'amount_fen': coalesce(overdue_fen, 0)},
  {'measure': 'drawn_today', 'loans': drawn, 'amount_fen': coalesce(drawn_fen, 0)},
  {'measure': 'received_today', 'loans': received, 'amount_fen': coalesce(received_fen, 0)},
  {'measure': 'late_since_today', 'loans': days_1, 'amount_fen': coalesce(days_1_fen, 0)},
  {'measure': 'over_30_since_today', 'loans': days_31, 'amount_fen': coalesce(days_31_fen, 0)},
  {'measure': 'over_90_since_today', 'loans': days_91, 'amount_fen': coalesce(days_91_fen, 0)},
  {'measure': 'written_off_today', 'loans': written_off, 'amount_fen': coalesce(written_off_fen, 0)},
  {'measure': 'recovered_today', 'loans': recovered, 'amount_fen': coalesce(recovered_fen, 0)},
  {'measure': 'restated', 'loans': restated, 'amount_fen': coalesce(restated_fen, 0)},
  {'measure': 'broken', 'loans': broken, 'amount_fen': 0}
], recursive := true)
FROM booked, late
