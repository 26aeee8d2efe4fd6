-- grain:    a source of funds, over the latest date's runs
-- inputs:   funding_sources
-- leaves:   source, kind, used_fen, capacity_fen, used_share, loans, weighted_cost, shadow_price
SELECT
  source, any_value(kind) AS kind, CAST(sum(used_fen) AS BIGINT) AS used_fen, CAST(max(capacity_fen) AS BIGINT) AS capacity_fen,
  round(sum(used_fen) / nullif(max(capacity_fen), 0), 6) AS used_share, CAST(sum(loans) AS BIGINT) AS loans, round(max(weighted_cost), 6) AS weighted_cost, round(max(shadow_price), 6) AS shadow_price
FROM funding_sources WHERE age = 0 GROUP BY source ORDER BY source
