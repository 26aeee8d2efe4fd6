-- grain:    a kind of data that configs/retention.toml keeps, and a rule on it
-- inputs:   kept (kind, months; null: for ever), days_of_check (day), rules
-- leaves:   rule, made_in, subject, on_date, found (months; null: for ever), allowed (at least, or: an end), amount_fen, breaks
SELECT
  rules.rule, 'configuration' AS made_in, kept.kind AS subject, day AS on_date, CAST(kept.months AS DOUBLE) AS found, CASE WHEN rules.topic = 'retention_min' THEN CAST(rules.value AS DOUBLE) END AS allowed, CAST(NULL AS BIGINT) AS amount_fen,
  CASE rules.topic WHEN 'retention_min' THEN kept.kind = 'inputs' AND coalesce(kept.months < rules.value, false) ELSE kept.kind IN ('inputs', 'inputs_not_approved') AND kept.months IS NULL END AS breaks
FROM kept, days_of_check JOIN rules ON day BETWEEN from_date AND to_date
WHERE rules.topic IN ('retention_min', 'retention_shortest') AND kept.kind IN ('inputs', 'inputs_not_approved') AND (rules.topic = 'retention_shortest' OR kept.kind = 'inputs')
