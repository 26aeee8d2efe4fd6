-- grain:    rule, scope and group: all, a product, a grade, a term
-- inputs:   priced (impact.py: everything that the rule is about, with what its price would be cut to where it is one about prices)
-- contract: contracts/impact.py, impact
WITH grouped AS (
  SELECT
    rule, scope,
    CASE grouping(product, grade, term_months) WHEN 3 THEN 'product' WHEN 5 THEN 'grade' WHEN 6 THEN 'term' ELSE 'all' END AS what,
    CASE grouping(product, grade, term_months) WHEN 3 THEN product WHEN 5 THEN grade WHEN 6 THEN CAST(term_months AS VARCHAR) ELSE 'all' END AS whose,
    term_months,
    count(*) AS looked_at, sum(amount_fen) AS amount_fen, sum(outstanding_fen) AS outstanding_fen,
    count(*) FILTER (is_over) AS over, coalesce(sum(amount_fen) FILTER (is_over), 0) AS over_amount_fen, sum(outstanding_fen) FILTER (is_over) AS over_outstanding_fen,
    sum(amount_fen * cost_ppm) FILTER (is_over) AS cost_weighed, sum(amount_fen * rate_ppm) FILTER (is_over) AS before_weighed, sum(amount_fen * rate_after_ppm) FILTER (is_over) AS after_weighed,
    coalesce(sum(interest_before_fen), 0) AS interest_before_fen, coalesce(sum(interest_after_fen), 0) AS interest_after_fen,
    sum(balance_fen) FILTER (is_over AND margin_before_ppm IS NOT NULL) AS balance_fen,
    sum(balance_fen * margin_before_ppm) FILTER (is_over) AS margin_before_weighed, sum(balance_fen * margin_after_ppm) FILTER (is_over) AS margin_after_weighed,
    count(*) FILTER (outcome IN ('lost', 'over_at_floor')) AS lost, coalesce(sum(amount_fen) FILTER (outcome IN ('lost', 'over_at_floor')), 0) AS lost_amount_fen,
    count(*) FILTER (is_over AND margin_before_ppm < 0) AS below_before
  FROM priced
  GROUP BY GROUPING SETS ((rule, scope), (rule, scope, product), (rule, scope, grade), (rule, scope, term_months))
)
SELECT
  rule, scope, what, whose, looked_at, CAST(amount_fen AS BIGINT) AS amount_fen, CAST(outstanding_fen AS BIGINT) AS outstanding_fen,
  over, CAST(over_amount_fen AS BIGINT) AS over_amount_fen, round(over_amount_fen / nullif(amount_fen, 0), 6) AS over_share,
  CAST(CASE WHEN outstanding_fen IS NOT NULL THEN coalesce(over_outstanding_fen, 0) END AS BIGINT) AS over_outstanding_fen,
  round(cost_weighed / nullif(over_amount_fen, 0) / 1e6, 6) AS cost_mean, round(before_weighed / nullif(over_amount_fen, 0) / 1e6, 6) AS rate_before,
  round(after_weighed / nullif(over_amount_fen, 0) / 1e6, 6) AS rate_after,
  CAST(interest_before_fen AS BIGINT) AS interest_before_fen, CAST(interest_after_fen AS BIGINT) AS interest_after_fen, CAST(interest_before_fen - interest_after_fen AS BIGINT) AS forgone_fen,
  round(margin_before_weighed / nullif(balance_fen, 0) / 1e6, 6) AS margin_before, round(margin_after_weighed / nullif(balance_fen, 0) / 1e6, 6) AS margin_after,
  CAST(round(coalesce(margin_before_weighed, 0) / 1e6) AS BIGINT) AS margin_before_fen, CAST(round(coalesce(margin_after_weighed, 0) / 1e6) AS BIGINT) AS margin_after_fen,
  lost, CAST(lost_amount_fen AS BIGINT) AS lost_amount_fen, below_before
FROM grouped
WHERE whose IS NOT NULL -- of a person or a partner there is no product
ORDER BY rule, scope, list_position(['all', 'product', 'grade', 'term'], what), term_months, whose
