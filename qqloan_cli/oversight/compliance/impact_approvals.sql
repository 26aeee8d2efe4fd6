-- grain:    an approved application of a run
-- inputs:   limit, funding_shares, costs (made.py), source_costs (run_id, source, cost_ppm); variable lgd_ppm
-- leaves:   scope, run_id, application_id, written_on, product, method, grade, term_months, amount_fen, outstanding_fen (null), rate_ppm, monthly_fee_fen,
--           upfront_fee_fen, cost_of_funds_ppm, expected_loss_ppm, made_nominal and made_effective (of the instalments, null while it waits for funds)
WITH funded AS (
  SELECT run_id, application_id, CAST(sum(amount_fen) AS BIGINT) AS fen, CAST(sum(amount_fen * cost_ppm) AS HUGEINT) AS weighed
  FROM funding_shares JOIN source_costs USING (run_id, source) GROUP BY run_id, application_id
),
-- What waits for funds will be funded as the others of its run were.
of_run AS (
  SELECT run_id, CAST(sum(weighed) // nullif(sum(fen), 0) AS BIGINT) AS cost_ppm FROM funded GROUP BY run_id
)
SELECT
  'approvals' AS scope, l.run_id, l.application_id, CAST(l.applied_at AS DATE) AS written_on, l.product, l.method, coalesce(l.grade, '-') AS grade, l.term_months, l.amount_fen,
  CAST(NULL AS BIGINT) AS outstanding_fen, CAST(l.annual_rate * 1_000_000 AS BIGINT) AS rate_ppm,
  (CAST(l.monthly_fee_rate * 1_000_000 AS BIGINT) * l.amount_fen + 500_000) // 1_000_000 AS monthly_fee_fen, l.upfront_fee_fen,
  coalesce(CAST(f.weighed // nullif(f.fen, 0) AS BIGINT), r.cost_ppm) AS cost_of_funds_ppm, CAST(round(l.pd * getvariable('lgd_ppm')) AS BIGINT) AS expected_loss_ppm,
  c.nominal AS made_nominal, c.effective AS made_effective
FROM "limit" AS l
LEFT JOIN funded AS f USING (run_id, application_id)
LEFT JOIN of_run AS r USING (run_id)
LEFT JOIN costs AS c ON c.made_in = l.run_id AND c.application_id = l.application_id
WHERE l.decision = 'approve'
ORDER BY run_id, application_id
