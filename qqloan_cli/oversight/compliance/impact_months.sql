-- grain:    rule, scope and month of application, or of the first drawdown
-- inputs:   priced (impact.py)
-- contract: contracts/impact.py, impact_months
SELECT
  rule, scope, CAST(date_trunc('month', written_on) AS DATE) AS month, count(*) AS looked_at, CAST(sum(amount_fen) AS BIGINT) AS amount_fen,
  count(*) FILTER (is_over) AS over, CAST(coalesce(sum(amount_fen) FILTER (is_over), 0) AS BIGINT) AS over_amount_fen,
  round(coalesce(sum(amount_fen) FILTER (is_over), 0) / nullif(sum(amount_fen), 0), 6) AS over_share, max(cap_ppm) / 1e6 AS cap,
  CAST(coalesce(sum(interest_before_fen - interest_after_fen), 0) AS BIGINT) AS forgone_fen
FROM priced
GROUP BY ALL
ORDER BY rule, scope, month
