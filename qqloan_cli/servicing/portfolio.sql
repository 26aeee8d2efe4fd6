-- grain:    classes: class; stages: stage; concentration: what and of whom; yield: month
-- inputs:   state, loans, funded_by, ledger, events; provision (class, rate), late_pd (bucket, pd); variables lgd, stage_2, stage_3, watch, state_at
-- leaves:   classes, stages, concentration, yields
-- Money is whole fen: a provision or an expected loss is rounded once, for each loan.

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

CREATE OR REPLACE TEMP TABLE classes AS
WITH all_of AS (SELECT class, count(*) AS loans, CAST(sum(principal_fen) AS BIGINT) AS principal_fen, CAST(sum(round(principal_fen * rate)) AS BIGINT) AS provision_fen
  FROM standing JOIN provision USING (class) GROUP BY class)
SELECT class, loans, principal_fen, provision_fen, round(principal_fen / nullif(sum(principal_fen) OVER (), 0), 6) AS share_of_principal FROM all_of;

CREATE OR REPLACE TEMP TABLE stages AS
WITH expected AS (
  SELECT stage, ead_fen,
    CASE WHEN stage = 1 THEN pd_12m * least(months_left, 12) / 12 ELSE 1 - power(1 - pd_12m, months_left / 12) END AS pd_counted
  FROM standing
)
SELECT
  stage, count(*) AS loans, CAST(sum(ead_fen) AS BIGINT) AS ead_fen, round(sum(pd_counted * ead_fen) / nullif(sum(ead_fen), 0), 6) AS pd,
  getvariable('lgd') AS lgd, CAST(sum(round(pd_counted * getvariable('lgd') * ead_fen)) AS BIGINT) AS expected_loss_fen
FROM expected GROUP BY stage;

-- Herfindahl-Hirschman: the sum of squared shares, 1 where all is one's.
CREATE OR REPLACE TEMP TABLE concentration AS
WITH
by_loan AS (
  SELECT unnest(['region', 'product', 'grade']) AS what, unnest([coalesce(region, 'not given'), product, grade]) AS whose, principal_fen FROM standing
),
by_source AS (
  SELECT 'source' AS what, source AS whose, standing.principal_fen * funded_by.amount_fen / loans.principal_fen AS principal_fen
  FROM standing JOIN loans USING (loan_id) JOIN funded_by USING (loan_id)
),
by_borrower AS (SELECT 'borrower' AS what, applicant_id AS whose, principal_fen FROM standing),
added AS (SELECT what, whose, sum(principal_fen) AS principal_fen FROM (FROM by_loan UNION ALL FROM by_source UNION ALL FROM by_borrower) GROUP BY ALL),
shares AS (SELECT what, whose, principal_fen, principal_fen / nullif(sum(principal_fen) OVER (PARTITION BY what), 0) AS share FROM added)
SELECT what, count(*) AS parties, round(sum(share * share), 6) AS hhi, round(max(share), 6) AS largest_share, CASE WHEN what <> 'borrower' THEN max_by(whose, (share, whose)) END AS largest
FROM shares GROUP BY what;

-- By month of value: what came in as income and went as loss, over the mean of what was outstanding at both ends; and principal by prepayment.
CREATE OR REPLACE TEMP TABLE yields AS
WITH
moved AS (
  SELECT
    date_trunc('month', value_date)::DATE AS month,
    CAST(sum(debit_fen - credit_fen) FILTER (WHERE account = 'principal') AS BIGINT) AS principal_fen,
    CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account = 'interest_income'), 0) AS BIGINT) AS interest_fen,
    CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account IN ('penalty_income', 'fee_income')), 0) AS BIGINT) AS fees_fen,
    CAST(coalesce(sum(debit_fen - credit_fen) FILTER (WHERE account IN ('written_off', 'waived')), 0) AS BIGINT) AS lost_fen,
    CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account = 'recovery'), 0) AS BIGINT) AS recovered_fen,
    CAST(coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account = 'principal' AND ledger.event_id IN (SELECT event_id FROM events WHERE kind = 'prepayment')), 0) AS BIGINT) AS early_fen
  FROM ledger WHERE value_date <= getvariable('state_at') GROUP BY month
),
running AS (
  SELECT *, CAST(sum(principal_fen) OVER (ORDER BY month) AS BIGINT) AS closing_fen, CAST(sum(principal_fen) OVER (ORDER BY month) - principal_fen AS BIGINT) AS opening_fen
  FROM moved
)
SELECT
  month, opening_fen, closing_fen, interest_fen, fees_fen, lost_fen, recovered_fen,
  round(12 * (interest_fen + fees_fen - lost_fen + recovered_fen) / nullif((opening_fen + closing_fen) / 2, 0), 6)  AS net_yield,
  early_fen, round(early_fen / nullif(opening_fen, 0), 6)                                                          AS smm,
  CASE WHEN opening_fen > 0 THEN round(1 - power(1 - least(early_fen / opening_fen, 1), 12), 6) END                   AS cpr
FROM running;
