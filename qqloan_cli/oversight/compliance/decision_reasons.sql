-- grain:    a declined or referred application
-- inputs:   decisions, reason_texts (code), "limit", rules
-- leaves:   rule, made_in, subject, on_date, found (reasons that have words in both languages), allowed (at least), amount_fen, breaks
WITH
told AS (SELECT run_id, application_id, unnest(reason_codes) AS code FROM decisions WHERE decision <> 'approve'),
in_words AS (SELECT run_id, application_id, count(*) AS reasons, count(reason_texts.code) AS worded FROM told LEFT JOIN reason_texts USING (code) GROUP BY run_id, application_id)
SELECT
  rules.rule, decided.run_id AS made_in, decided.application_id AS subject, CAST("limit".applied_at AS DATE) AS on_date, CAST(coalesce(worded, 0) AS DOUBLE) AS found, 1.0 AS allowed, decided.amount_fen,
  coalesce(worded, 0) = 0 OR worded < reasons AS breaks
FROM decisions AS decided JOIN "limit" USING (run_id, application_id) LEFT JOIN in_words USING (run_id, application_id)
JOIN rules ON CAST("limit".applied_at AS DATE) BETWEEN from_date AND to_date
WHERE rules.topic = 'decision_reasons' AND decided.decision <> 'approve'
