-- notices before adverse data goes to the credit bureau: a letter for every loan of a book that is overdue at the end of a day.
--
-- grain     loan and language
-- reads     state, loans (contracts); people (applicant_id, name, id_number): nobody unless names were asked for
-- settings  product_words, words (a row a language); templates (kind, lang, mask, text)
-- variables dated, pay_by, from_dpd, overdue_since (null: whatever it has been overdue for)
-- macros    letters.sql
-- leaves    late (loan: figures, mask)
-- Written off, and what the bureau has been told of by then, is no notice beforehand any more: a loan that is written off gets none.

CREATE OR REPLACE TEMP TABLE late AS
SELECT
  row_number() OVER (ORDER BY s.loan_id) - 1                                                       AS place,
  s.loan_id, s.application_id, s.applicant_id, l.product, s.dpd, s.oldest_due_date,
  s.owed_fen, s.principal_due_fen, s.interest_fen, s.penalty_fen, s.fees_fen,
  p.name, p.id_number,
  -- by the bits of WHENS in policy/notices.py
  CAST(p.name IS NOT NULL AS INTEGER) + 16 * CAST(l.penalty_rate_ppm > 0 AS INTEGER)               AS mask
FROM state s
JOIN loans l USING (loan_id)
LEFT JOIN people p ON p.applicant_id = s.applicant_id
WHERE s.status = 'overdue' AND s.owed_fen > 0 AND s.dpd >= getvariable('from_dpd')
  AND (getvariable('overdue_since') IS NULL OR s.oldest_due_date >= getvariable('overdue_since'))
ORDER BY place;
