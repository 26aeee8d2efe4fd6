-- grain:    classes: class; stages: stage; concentration: what and of whom; yields: month
-- inputs:   state, loans, funded_by, ledger, events; provision (class, rate), late_pd (bucket, pd); variables lgd, stage_2, stage_3, watch, state_at
-- leaves:   classes_counted, stages_counted, concentration_counted, yields_counted: whole numbers that add up over buckets
-- Money is whole fen: a provision, an expected loss or a funder's part is rounded once, for each loan.

CREATE OR REPLACE TEMP TABLE standing AS
SELECT
  state.*, loans.region, loans.product, loans.grade, loans.drawn_on,
  state.principal_fen + state.interest_fen + state.penalty_fen + state.fees_fen + state.accrued_interest_fen       AS ead_fen,
  CASE
    WHEN state.dpd >= getvariable('stage_3') OR state.class IN ('substandard', 'doubtful', 'loss') THEN 3     -- a bad loan until it is cured
    WHEN state.dpd >= getvariable('stage_2') OR state.restructured_on + to_months(CAST(getvariable('watch') AS INTEGER)) > getvariable('state_at') THEN 2
    ELSE 1
  END                                                                                                              AS stage,
  CASE
    WHEN state.dpd >= getvariable('stage_3') OR state.class IN ('substandard', 'doubtful', 'loss') THEN 1.0
    WHEN state.dpd > 0 THEN greatest(late_pd.pd, loans.pd)
    ELSE loans.pd
  END                                                                                                              AS pd_12m,
  greatest(state.instalments_to_come, 1)                                                                           AS months_left
FROM state
JOIN loans USING (loan_id)
LEFT JOIN late_pd ON late_pd.bucket = 'M' || least((state.dpd + 29) // 30, 3)
WHERE state.status IN ('current', 'overdue');

CREATE OR REPLACE TEMP TABLE classes_counted AS
SELECT class, count(*) AS loans, CAST(sum(principal_fen) AS BIGINT) AS principal_fen, CAST(sum(round(principal_fen * rate)) AS BIGINT) AS provision_fen
FROM standing JOIN provision USING (class) GROUP BY class;

CREATE OR REPLACE TEMP TABLE stages_counted AS
WITH expected AS (
  SELECT stage, ead_fen,
    CASE WHEN stage = 1 THEN pd_12m * least(months_left, 12) / 12 ELSE 1 - power(1 - pd_12m, months_left / 12) END AS pd_counted
  FROM standing
)
SELECT
  stage, count(*) AS loans, CAST(sum(ead_fen) AS BIGINT) AS ead_fen, CAST(sum(round(pd_counted * ead_fen)) AS BIGINT) AS defaulting_fen,
  CAST(sum(round(pd_counted * getvariable('lgd') * ead_fen)) AS BIGINT) AS expected_loss_fen
FROM expected GROUP BY stage;

-- A borrower is in one bucket, with all that is owed: of borrowers squares are added, and nobody is named.
CREATE OR REPLACE TEMP TABLE concentration_counted AS
WITH
by_loan AS (
  SELECT unnest(['region', 'product', 'grade']) AS what, unnest([coalesce(region, 'not given'), product, grade]) AS whose, principal_fen FROM standing
),
by_source AS (
  SELECT 'source' AS what, source AS whose, CAST(round(standing.principal_fen * funded_by.amount_fen / loans.principal_fen) AS BIGINT) AS principal_fen
  FROM standing JOIN loans USING (loan_id) JOIN funded_by USING (loan_id)
),
by_borrower AS (SELECT sum(principal_fen) AS principal_fen FROM standing GROUP BY applicant_id)
SELECT what, whose, 1 AS parties, CAST(sum(principal_fen) AS BIGINT) AS principal_fen, CAST(sum(principal_fen) AS BIGINT) AS largest_fen, CAST(NULL AS DECIMAL(38,0)) AS squares
FROM (FROM by_loan UNION ALL FROM by_source) GROUP BY what, whose
UNION ALL
SELECT 'borrower', NULL, count(*), CAST(sum(principal_fen) AS BIGINT), CAST(max(principal_fen) AS BIGINT), CAST(sum(CAST(principal_fen AS HUGEINT) * CAST(principal_fen AS HUGEINT)) AS DECIMAL(38,0))
FROM by_borrower HAVING count(*) > 0;

CREATE OR REPLACE TEMP TABLE yields_counted AS
SELECT
  date_trunc('month', value_date)::DATE AS month,
  CAST(coalesce(sum(debit_fen - credit_fen) FILTER (WHERE account = 'principal'), 0) AS BIGINT) AS principal_fen,
  CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account = 'interest_income'), 0) AS BIGINT) AS interest_fen,
  CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account IN ('penalty_income', 'fee_income')), 0) AS BIGINT) AS fees_fen,
  CAST(coalesce(sum(debit_fen - credit_fen) FILTER (WHERE account IN ('written_off', 'waived')), 0) AS BIGINT) AS lost_fen,
  CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account = 'recovery'), 0) AS BIGINT) AS recovered_fen,
  CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account = 'principal' AND ledger.event_id IN (SELECT event_id FROM events WHERE kind = 'prepayment')), 0) AS BIGINT) AS early_fen
FROM ledger WHERE value_date <= getvariable('state_at') GROUP BY month;
