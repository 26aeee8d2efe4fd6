-- grain:    a step of the waterfall that set approved amounts, and the date: the latest, and the one before
-- inputs:   decisions
-- leaves:   binding_cap, date_of, approved, share (of the date's), amount_fen
SELECT
  binding_cap, CASE WHEN age = 0 THEN 'today' ELSE 'before' END AS date_of, count(*) AS approved,
  round(count(*) / sum(count(*)) OVER (PARTITION BY date_of), 6) AS share, CAST(sum(amount_fen) AS BIGINT) AS amount_fen
FROM decisions WHERE age <= 1 AND decision = 'approve' GROUP BY binding_cap, date_of ORDER BY date_of DESC, approved DESC, binding_cap
