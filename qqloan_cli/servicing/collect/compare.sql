-- grain:    entered: one row per borrower and stage, of the first time in the period that the borrower's latest loan came to be in it
-- inputs:   stage_entries (contract), loans (loan_id, applicant_id, principal_fen, annual_rate_ppm, pd, drawn_on), arms_of (applicant_id, arm), stages (stage, stage_no), log (contact_log),
--           money (loan_id, value_date, fen), costs (channel, cost_fen); variables first, last, days, as_of (the last day that is closed), promise_grace
-- leaves:   entered, by_arm, at_entry
-- What came of an entry is what came on the days after it, so many of them: contacts, promises, money up to what was owed at the entry.

CREATE OR REPLACE TEMP TABLE stood AS
WITH
days_of AS (SELECT DISTINCT applicant_id, day FROM stage_entries),
loans_of AS (SELECT DISTINCT applicant_id, loan_id FROM stage_entries),
by_loan AS (
  SELECT
    days_of.applicant_id, days_of.day, loans_of.loan_id,
    last_value(stage_entries.stage IGNORE NULLS) OVER upto AS stage_no, last_value(stage_entries.owed_fen IGNORE NULLS) OVER upto AS owed_fen
  FROM days_of JOIN loans_of USING (applicant_id) LEFT JOIN stage_entries ON stage_entries.loan_id = loans_of.loan_id AND stage_entries.day = days_of.day
  WINDOW upto AS (PARTITION BY loans_of.loan_id ORDER BY days_of.day)
),
by_borrower AS (
  SELECT applicant_id, day, coalesce(max(stage_no), 0) AS stage_no, CAST(coalesce(sum(owed_fen) FILTER (WHERE stage_no > 0), 0) AS BIGINT) AS owed_fen
  FROM by_loan GROUP BY applicant_id, day
)
SELECT *, coalesce(lag(stage_no) OVER (PARTITION BY applicant_id ORDER BY day), 0) AS stage_before FROM by_borrower;

CREATE OR REPLACE TEMP TABLE entered AS
WITH
first_times AS (
  SELECT applicant_id, stage_no, min(day) AS day, arg_min(owed_fen, day) AS owed_fen
  FROM stood WHERE stage_no > stage_before AND day BETWEEN getvariable('first') AND getvariable('last') GROUP BY applicant_id, stage_no
),
cured AS (
  SELECT DISTINCT applicant_id, first_times.stage_no
  FROM first_times JOIN stood USING (applicant_id)
  WHERE stood.stage_no = 0 AND stood.day > first_times.day AND stood.day <= first_times.day + CAST(getvariable('days') AS INTEGER)
),
borrowers AS (
  SELECT applicant_id, CAST(sum(principal_fen) AS BIGINT) AS principal_fen, max(annual_rate_ppm) AS annual_rate_ppm, CAST(round(max(pd) * 1000000) AS BIGINT) AS pd_ppm, min(drawn_on) AS drawn_on
  FROM loans SEMI JOIN first_times USING (applicant_id) GROUP BY applicant_id
)
SELECT
  row_number() OVER (ORDER BY applicant_id, first_times.stage_no) AS entry, applicant_id, arm, stage, first_times.stage_no, first_times.day, owed_fen, principal_fen, annual_rate_ppm, pd_ppm,
  first_times.day - drawn_on AS days_on_book, cured.applicant_id IS NOT NULL AS cured,
  first_times.day + CAST(getvariable('days') AS INTEGER) <= getvariable('as_of') AS followed,
  row_number() OVER (PARTITION BY applicant_id ORDER BY first_times.day, first_times.stage_no) = 1 AS is_first
FROM first_times
JOIN arms_of USING (applicant_id)
JOIN stages USING (stage_no)
JOIN borrowers USING (applicant_id)
LEFT JOIN cured USING (applicant_id, stage_no);

CREATE OR REPLACE TEMP TABLE contacted AS
SELECT entry, contact_id, log.applicant_id, loan_id, begun_at, channel, connected, outcome, promise_date, promise_amount_fen
FROM entered JOIN log USING (applicant_id)
WHERE followed AND kind = 'contact' AND CAST(begun_at AS DATE) > day AND CAST(begun_at AS DATE) <= day + CAST(getvariable('days') AS INTEGER);

CREATE OR REPLACE TEMP TABLE promises AS
SELECT row_number() OVER (ORDER BY entry, contact_id) AS promise_no, * FROM contacted WHERE outcome = 'promise';
