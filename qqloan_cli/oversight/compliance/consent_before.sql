-- grain:    an application that was approved or declined on the evidence
-- inputs:   "limit", applicants, rules
-- leaves:   rule, made_in, subject, on_date, found (1: without consent before the application), allowed, amount_fen, breaks
--           A decline for want of consent is none on the evidence, and a source whose applicants are asked elsewhere is left out.
SELECT
  rules.rule, decided.run_id AS made_in, decided.application_id AS subject, CAST(decided.applied_at AS DATE) AS on_date, CAST(consent_at IS NULL OR consent_at > decided.applied_at OR coalesce(consent_withdrawn_at <= decided.applied_at, false) AS DOUBLE) AS found, 0.0 AS allowed, decided.amount_fen,
  found = 1 AS breaks
FROM "limit" AS decided JOIN applicants USING (run_id, application_id)
JOIN rules ON CAST(decided.applied_at AS DATE) BETWEEN from_date AND to_date
WHERE rules.topic = 'consent_before' AND decided.decision = 'approve' AND NOT coalesce(contains(checks_not_applicable, 'consent'), false)
