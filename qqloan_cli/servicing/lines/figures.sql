-- grain:    one row per line that the book knew on the day
-- inputs:   book_lines (contract lines), loans (drawn by the day), promised (loan_id, application_id, principal_fen: neither drawn nor cancelled), stated
--           (contract state, on the day and as known on it), past (loan_id, d1 ... d12: days past due at the ends of the months before), instalments,
--           loan_events, lanes_taken; variables state_at (the day), late_after (days)
-- leaves:   line_figures: what stands of a line, in fen, and what the behaviour score looks at (/*lateness*/: LATENESS over d0 ... d12)
--
-- Money covers instalments in their order, whatever it was paid for: an instalment is covered on the day on which all that was paid is all that
-- was due by it. What falls due after a loan was agreed anew, or was repaid early in part, is another plan; of that, the ends of months alone
-- say how late it was.

CREATE OR REPLACE TEMP TABLE covered AS
WITH
counting AS (
  SELECT e.loan_id, e.kind, e.value_date, e.amount_fen
  FROM lanes_taken AS l JOIN loan_events AS e USING (loan_id)
  WHERE e.value_date <= getvariable('state_at') AND counts_in(l.known_from, e.value_date, e.known_from, e.known_to)
),
another_plan AS (SELECT loan_id, min(value_date) AS anew_on FROM counting WHERE kind IN ('restructure', 're_age', 'prepayment') GROUP BY loan_id),
paid AS (
  SELECT loan_id, value_date AS paid_on, sum(sum(amount_fen)) OVER (PARTITION BY loan_id ORDER BY value_date) AS paid_fen
  FROM counting WHERE kind IN ('repayment', 'prepayment') GROUP BY loan_id, value_date
),
fallen AS (
  SELECT loan_id, due_date, sum(principal_fen + interest_fen + fee_fen) OVER (PARTITION BY loan_id ORDER BY instalment_no) AS due_fen, anew_on
  FROM instalments SEMI JOIN loans USING (loan_id) LEFT JOIN another_plan USING (loan_id)
  WHERE due_date <= getvariable('state_at')
),
by_instalment AS (
  SELECT fallen.loan_id, due_date, paid.paid_on, coalesce(paid.paid_on, getvariable('state_at')) - due_date AS late_days
  FROM fallen ASOF LEFT JOIN paid ON fallen.loan_id = paid.loan_id AND fallen.due_fen <= paid.paid_fen
  WHERE anew_on IS NULL OR due_date < anew_on
),
by_loan AS (
  SELECT
    loan_id, count(*) AS instalments, count(*) FILTER (late_days > getvariable('late_after')) AS late, count(*) FILTER (paid_on < due_date) AS early,
    max(CASE WHEN paid_on IS NULL THEN getvariable('state_at') ELSE paid_on - 1 END) FILTER (late_days > getvariable('late_after')) AS late_on
  FROM by_instalment GROUP BY loan_id
)
SELECT loans.loan_id, by_loan.* EXCLUDE (loan_id), paid_to.last_paid_on
FROM loans
LEFT JOIN by_loan USING (loan_id)
LEFT JOIN (SELECT loan_id, max(paid_on) AS last_paid_on FROM paid GROUP BY loan_id) AS paid_to USING (loan_id);

-- What was drawn under one application, together.
CREATE OR REPLACE TEMP TABLE drawn AS
SELECT
  loans.application_id AS line_id, any_value(loans.applicant_id) AS applicant_id,
  min(loans.drawn_on) AS first_drawn_on, max(loans.drawn_on) AS last_drawn_on, max(last_paid_on) AS last_paid_on, max(late_on) AS late_on,
  bool_or(status = 'broken') AS broken, bool_or(status = 'written_off') AS written_off,
  CASE WHEN NOT bool_or(status = 'broken') THEN max(dpd) END AS d0,
  CASE WHEN NOT bool_or(status = 'broken') THEN max(delinquent_days) END AS delinquent_days,
  /*worst_past*/,
  sum(loans.principal_fen) AS drawn_fen,
  sum(least(coalesce(stated.principal_fen, loans.principal_fen), loans.principal_fen)) AS outstanding_fen,  -- interest agreed into principal takes nothing of a limit
  CASE WHEN NOT bool_or(status = 'broken') THEN sum(owed_fen) END AS owed_fen,
  sum(advance_fen) AS advance_fen, sum(instalments_fallen) AS instalments_fallen,
  sum(re_aged + CAST(restructured_on IS NOT NULL AS INTEGER)) AS agreed_anew,
  sum(instalments) AS instalments, sum(late) AS late, sum(early) AS early
FROM loans
JOIN stated USING (loan_id)
LEFT JOIN past USING (loan_id)
LEFT JOIN covered USING (loan_id)
GROUP BY loans.application_id;

CREATE OR REPLACE TEMP TABLE drawn AS
SELECT
  *,
  CASE WHEN NOT broken THEN datesub('month', greatest(first_drawn_on, late_on, CASE /*late_past*/ END), getvariable('state_at')) END AS clean_months
FROM drawn;

CREATE OR REPLACE TEMP TABLE line_figures AS
WITH
others AS (
  SELECT
    book_lines.line_id, CASE WHEN NOT bool_or(drawn.broken) THEN max(drawn.d0) END AS dpd, bool_or(drawn.written_off) AS written_off, bool_or(drawn.broken) AS broken,
    min(drawn.clean_months) AS clean_months
  FROM book_lines JOIN drawn ON drawn.applicant_id = book_lines.applicant_id AND drawn.line_id <> book_lines.line_id
  GROUP BY book_lines.line_id
),
to_come AS (
  SELECT application_id AS line_id, list(loan_id ORDER BY loan_id) AS loan_ids, list(principal_fen ORDER BY loan_id) AS fen FROM promised GROUP BY application_id
),
beside AS (
  SELECT
    book_lines.*, drawn.* EXCLUDE (line_id, applicant_id, d0),
    CASE WHEN drawn.line_id IS NULL THEN 0 ELSE drawn.d0 END                                      AS d0,
    CASE WHEN others.line_id IS NULL THEN 0 ELSE others.dpd END                                   AS other_dpd,
    CASE WHEN others.broken THEN NULL ELSE coalesce(others.written_off, false) END                AS other_written_off,
    CASE WHEN coalesce(others.broken, false) OR coalesce(drawn.broken, false) THEN NULL ELSE least(drawn.clean_months, others.clean_months) END AS borrower_clean_months,
    coalesce(to_come.loan_ids, [])                                                                AS promised_ids,
    coalesce(to_come.fen, [])                                                                     AS promised_fen
  FROM book_lines
  LEFT JOIN drawn USING (line_id)
  LEFT JOIN others USING (line_id)
  LEFT JOIN to_come USING (line_id)
)
SELECT
  line_id, applicant_id, product, region, grade, limit_fen AS decided_cap_fen, amount_fen, opened_on, expires_on, monthly_income_fen, income_confidence, dti,
  coalesce(written_off, false)                                                                    AS written_off,
  CAST(CASE WHEN first_drawn_on IS NULL THEN 0 ELSE delinquent_days END AS INTEGER)               AS delinquent_days,
  CAST(other_dpd AS INTEGER) AS other_dpd, other_written_off,
  CAST(CASE WHEN first_drawn_on IS NULL THEN 0 ELSE owed_fen END AS BIGINT) AS owed_fen,
  CAST(coalesce(outstanding_fen, 0) AS BIGINT) AS outstanding_fen, promised_ids, promised_fen,
  CAST(clean_months AS INTEGER) AS clean_months, CAST(borrower_clean_months AS INTEGER) AS borrower_clean_months,
  CAST(datesub('month', greatest(opened_on, last_drawn_on, last_paid_on), getvariable('state_at')) AS INTEGER) AS months_since_use,
  CAST(CASE WHEN NOT coalesce(broken, false) THEN coalesce(instalments_fallen, 0) END AS INTEGER) AS instalments_fallen,
  CAST(datediff('month', first_drawn_on, getvariable('state_at')) AS INTEGER)                     AS months_on_book,
  /*lateness*/,
  outstanding_fen / drawn_fen                                                                     AS balance_share,
  late / nullif(instalments, 0)                                                                   AS paid_late_share,
  early / nullif(instalments, 0)                                                                  AS paid_early_share,
  advance_fen / drawn_fen                                                                         AS advance_share,
  coalesce(outstanding_fen, 0) / nullif(amount_fen, 0)                                            AS utilisation,
  pd                                                                                              AS decision_pd,
  CAST(coalesce(agreed_anew, 0) AS INTEGER)                                                       AS agreed_anew
FROM beside;
