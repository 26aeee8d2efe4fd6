-- grain:    a decided application
-- inputs:   decisions, "limit", letters (application_id, kind, lang), rules
-- leaves:   rule, made_in, subject, on_date, found (languages in which there is a letter), allowed (at least), amount_fen, breaks
WITH written AS (SELECT application_id, count(DISTINCT lang) AS langs FROM letters GROUP BY application_id)
SELECT
  rules.rule, decided.run_id AS made_in, decided.application_id AS subject, CAST("limit".applied_at AS DATE) AS on_date, CAST(coalesce(langs, 0) AS DOUBLE) AS found, 1.0 AS allowed, decided.amount_fen, coalesce(langs, 0) = 0 AS breaks
FROM decisions AS decided JOIN "limit" USING (run_id, application_id) LEFT JOIN written USING (application_id)
JOIN rules ON CAST("limit".applied_at AS DATE) BETWEEN from_date AND to_date
WHERE rules.topic = 'review_on_request' AND decided.age = 0
