-- grain:    an approved application that rests on a source for which consent is asked
-- inputs:   "limit", applicants, credit, rules
-- leaves:   rule, made_in, subject, on_date, found (1: a credit record was used beyond the scope of consent), allowed, amount_fen, breaks
SELECT
  rules.rule, decided.run_id AS made_in, decided.application_id AS subject, CAST(decided.applied_at AS DATE) AS on_date, CAST(NOT coalesce(list_contains(string_split(replace(consent_scope, ' ', ''), ';'), 'credit'), false) AS DOUBLE) AS found, 0.0 AS allowed, decided.amount_fen,
  found = 1 AS breaks
FROM "limit" AS decided JOIN applicants USING (run_id, application_id) JOIN credit USING (run_id, application_id)
JOIN rules ON CAST(decided.applied_at AS DATE) BETWEEN from_date AND to_date
WHERE rules.topic = 'consent_scope' AND decided.decision = 'approve' AND credit.history <> 'none' AND NOT coalesce(contains(checks_not_applicable, 'consent'), false)
