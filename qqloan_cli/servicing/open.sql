-- grain:    one row per tranche of the disburse plan (a loan), per its instalments, per its sources; one per approved application (a line)
-- inputs:   disburse_plan, schedule, limit, income of a run, every bucket; late_times: product, times_ppm; valid: product, months
-- leaves:   opened_loans, opened_instalments, opened_funded_by, opened_lines: the book's contracts and the book's bucket
-- The penalty's rate is the loan's times what the product agrees, and no more than the cap on the all-in cost of its date.

CREATE OR REPLACE TEMP TABLE opened_loans AS
WITH tranche AS (
  SELECT application_id, tranche_no, min(pay_date) AS drawn_on, CAST(sum(amount_fen) AS BIGINT) AS principal_fen
  FROM disburse_plan GROUP BY ALL
)
SELECT
  tranche.application_id || '-' || tranche.tranche_no                                       AS loan_id,
  tranche.application_id, tranche.tranche_no, decided.applicant_id,
  getvariable('run_id')                                                                     AS run_id,
  getvariable('opened_on')                                                                  AS opened_on,
  decided.product, tranche.drawn_on, tranche.principal_fen,
  CAST(decided.annual_rate * getvariable('ppm') AS BIGINT)                                  AS annual_rate_ppm,
  CAST(least(
    floor(decided.annual_rate * coalesce(late_times.times_ppm, getvariable('ppm'))),
    coalesce(decided.cost_cap, 1) * getvariable('ppm')
  ) AS BIGINT)                                                                              AS penalty_rate_ppm,
  decided.cost_cap, decided.method, decided.term_months, decided.region, decided.grade, decided.pd,
  CAST(CAST('0x' || substr(sha256(decided.applicant_id), 1, 4) AS USMALLINT) >> getvariable('shift') AS USMALLINT) AS bucket
FROM tranche
JOIN "limit" AS decided USING (application_id)
LEFT JOIN late_times ON late_times.product = decided.product;

CREATE OR REPLACE TEMP TABLE opened_instalments AS
SELECT opened_loans.loan_id, instalment_no, due_date, schedule.principal_fen, schedule.interest_fen, schedule.fee_fen, opened_loans.bucket
FROM schedule JOIN opened_loans USING (application_id, tranche_no);

CREATE OR REPLACE TEMP TABLE opened_funded_by AS
SELECT opened_loans.loan_id, source, CAST(sum(amount_fen) AS BIGINT) AS amount_fen, opened_loans.bucket
FROM disburse_plan JOIN opened_loans USING (application_id, tranche_no)
GROUP BY ALL;

-- A line is what a person may owe by one application, drawn or not; it stands also while its money waits to be funded.
CREATE OR REPLACE TEMP TABLE opened_lines AS
SELECT
  decided.application_id                                                                    AS line_id,
  decided.applicant_id,
  getvariable('run_id')                                                                     AS run_id,
  decided.product,
  greatest(decided.max_amount_fen, decided.amount_fen)                                      AS limit_fen,
  decided.amount_fen,
  getvariable('opened_on')                                                                  AS opened_on,
  CAST(getvariable('opened_on') + to_months(valid.months) AS DATE)                          AS expires_on,
  decided.grade, decided.pd, decided.region,
  income.monthly_income_fen, income.income_confidence, decided.monthly_payment_fen, decided.dti,
  CAST(CAST('0x' || substr(sha256(decided.applicant_id), 1, 4) AS USMALLINT) >> getvariable('shift') AS USMALLINT) AS bucket
FROM "limit" AS decided
JOIN valid USING (product)
LEFT JOIN income USING (application_id)
WHERE decided.decision = 'approve';
