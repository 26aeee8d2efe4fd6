-- grain:    ageing: month and bucket; rolls: month, from, to; vintages: cohort and month on book; early: cohort; cures: month of default
-- inputs:   panel: loan_id, month, dpd (or `bucket`), balance_fen; mob, drawn_on, first_due_on, oldest_due_date, principal_fen where they are known
-- leaves:   aged, ageing, rolls, vintages, early_defaults, cures
--
-- Buckets: M0 not late, M1 1 to 30 days, M2 31 to 60, ... M6 151 to 180, M6+ beyond; paid and written_off are left for good. A loan that is
-- in one month and not in the next left the book: that is a column of its own, not M0. A loan that is new in a month rolls from nowhere.

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

CREATE OR REPLACE TEMP TABLE ageing AS
SELECT
  month, bucket, count(*) AS loans, CAST(sum(balance_fen) AS BIGINT) AS balance_fen,
  round(count(*) / sum(count(*)) OVER (PARTITION BY month), 6)                              AS share_of_loans,
  round(sum(balance_fen) / nullif(sum(sum(balance_fen)) OVER (PARTITION BY month), 0), 6)   AS share_of_balance
FROM aged WHERE bucket <> 'paid'
GROUP BY month, bucket;

CREATE OR REPLACE TEMP TABLE rolls AS
WITH
last_month AS (SELECT max(month) AS month FROM aged),
pairs AS (
  SELECT
    month AS from_month, bucket AS from_bucket, balance_fen,
    CASE WHEN lead(month) OVER of_loan = last_day(month + INTERVAL 1 MONTH) THEN lead(bucket) OVER of_loan ELSE 'left' END AS to_bucket
  FROM aged
  WINDOW of_loan AS (PARTITION BY loan_id ORDER BY month)
)
SELECT
  from_month, from_bucket, to_bucket, count(*) AS loans, CAST(sum(balance_fen) AS BIGINT) AS balance_fen,
  round(count(*) / sum(count(*)) OVER (PARTITION BY from_month, from_bucket), 6)                              AS share_of_loans,
  round(sum(balance_fen) / nullif(sum(sum(balance_fen)) OVER (PARTITION BY from_month, from_bucket), 0), 6)   AS share_of_balance
FROM pairs, last_month
WHERE from_month < last_month.month AND from_bucket NOT IN ('paid', 'written_off')
GROUP BY from_month, from_bucket, to_bucket;

-- Ever so many days late by a month on book, of the loans of a month of drawdown that have reached it.
CREATE OR REPLACE TEMP TABLE vintages AS
WITH
ever AS (
  SELECT loan_id, date_trunc('month', drawn_on)::DATE AS cohort, mob, principal_fen, max(worst_dpd) OVER (PARTITION BY loan_id ORDER BY mob) AS worst
  FROM aged
),
reached AS (SELECT DISTINCT date_trunc('month', drawn_on)::DATE AS cohort, unnest(range(0, max(mob) OVER (PARTITION BY date_trunc('month', drawn_on)) + 1)) AS mob FROM aged),
loans AS (SELECT loan_id, date_trunc('month', any_value(drawn_on))::DATE AS cohort, any_value(principal_fen) AS principal_fen FROM aged GROUP BY loan_id),
by_then AS (
  SELECT loans.loan_id, reached.cohort, reached.mob, loans.principal_fen, coalesce(ever.worst, 0) AS worst
  FROM reached JOIN loans USING (cohort)
  ASOF LEFT JOIN ever ON ever.loan_id = loans.loan_id AND ever.mob <= reached.mob
)
SELECT
  cohort, mob, count(*) AS loans, CAST(sum(principal_fen) AS BIGINT) AS principal_fen,
  round(avg(CAST(worst > 30 AS INTEGER)), 6) AS ever_30, round(avg(CAST(worst > 60 AS INTEGER)), 6) AS ever_60, round(avg(CAST(worst > 90 AS INTEGER)), 6) AS ever_90,
  round(coalesce(sum(principal_fen) FILTER (WHERE worst > 30), 0) / sum(principal_fen), 6) AS ever_30_of_principal,
  round(coalesce(sum(principal_fen) FILTER (WHERE worst > 90), 0) / sum(principal_fen), 6) AS ever_90_of_principal
FROM by_then GROUP BY cohort, mob;

-- First-payment default: the first instalment is still unpaid 30 days on. Early-payment default: more than 90 days late within six months.
CREATE OR REPLACE TEMP TABLE early_defaults AS
WITH loans AS (
  SELECT
    loan_id, date_trunc('month', any_value(drawn_on))::DATE AS cohort,
    bool_or(oldest_due_date = first_due_on AND dpd > 30) AS first_payment, max(month) > any_value(first_due_on) + 30 AS first_seen,
    bool_or(worst_dpd > 90 AND mob <= 6) AS early, max(mob) >= 6 OR bool_or(bucket IN ('paid', 'written_off')) AS early_seen
  FROM aged GROUP BY loan_id
)
SELECT
  cohort, count(*) AS loans, round(avg(CAST(coalesce(first_payment, false) AS INTEGER)) FILTER (WHERE first_seen), 6) AS first_payment_default,
  round(avg(CAST(coalesce(early, false) AS INTEGER)) FILTER (WHERE early_seen), 6) AS early_payment_default
FROM loans GROUP BY cohort;

-- Default: more than 90 days late. Cured: not late at a later month's end. Again: in default after that.
CREATE OR REPLACE TEMP TABLE cures AS
WITH
first_bad AS (SELECT loan_id, min(month) AS bad_on FROM aged WHERE worst_dpd > 90 GROUP BY loan_id),
cured AS (SELECT loan_id, bad_on, min(month) AS cured_on FROM first_bad JOIN aged USING (loan_id) WHERE month > bad_on AND bucket IN ('M0', 'paid') GROUP BY ALL),
again AS (SELECT loan_id, min(month) AS again_on FROM cured JOIN aged USING (loan_id) WHERE month > cured_on AND worst_dpd > 90 GROUP BY ALL)
SELECT
  date_trunc('month', bad_on)::DATE AS defaulted_in, count(*) AS defaults, count(cured_on) AS cured, count(again_on) AS again,
  round(count(cured_on) / count(*), 6) AS cure_rate, round(count(again_on) / nullif(count(cured_on), 0), 6) AS redefault_rate
FROM first_bad LEFT JOIN cured USING (loan_id, bad_on) LEFT JOIN again USING (loan_id)
GROUP BY defaulted_in;
