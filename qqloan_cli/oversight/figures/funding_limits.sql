-- grain:    a limit of the funding programme that is used to nine tenths, or worth something, on the latest date
-- inputs:   funding_limits
-- leaves:   limit_name, kind, limit_fen, used_fen, left_fen, used_share, shadow_price
SELECT
  "limit" AS limit_name, kind, limit_fen, used_fen, left_fen, round(used_fen / nullif(limit_fen, 0), 6) AS used_share, round(shadow_price, 6) AS shadow_price
FROM funding_limits WHERE age = 0 AND (shadow_price > 0 OR used_fen >= 0.9 * limit_fen) AND limit_fen > 0
ORDER BY shadow_price DESC, used_share DESC, limit_name, run_id
LIMIT 15
