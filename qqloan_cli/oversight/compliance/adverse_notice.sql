-- grain:    a loan of the book that is overdue on the day
-- inputs:   state, letters (loan_id, kind, dated), days, rules
-- leaves:   rule, made_in, subject (the loan), on_date, found (letters before anything adverse is reported), allowed (at least), amount_fen, breaks
--           What was reported is not known here: every loan that is overdue counts as one that may be.
WITH told AS (SELECT loan_id, count(*) AS letters FROM letters, days WHERE kind = 'adverse' AND dated <= days.at GROUP BY loan_id)
SELECT
  rules.rule, 'book' AS made_in, state.loan_id AS subject, days.at AS on_date, CAST(coalesce(told.letters, 0) AS DOUBLE) AS found, 1.0 AS allowed, owed_fen AS amount_fen, told.letters IS NULL AS breaks
FROM state LEFT JOIN told USING (loan_id), days JOIN rules ON days.at BETWEEN from_date AND to_date
WHERE rules.topic = 'adverse_notice' AND state.status = 'overdue'
