-- grain:    rule and approval or contract over its cap
-- inputs:   priced (impact.py)
-- contract: contracts/impact.py, impact_contracts
SELECT
  rule, scope, run_id, application_id, written_on, product, grade, term_months, amount_fen, outstanding_fen, found, allowed,
  rate_ppm / 1e6 AS annual_rate, rate_after_ppm / 1e6 AS annual_rate_after, interest_before_fen, interest_after_fen, cost_of_funds_ppm / 1e6 AS cost_of_funds,
  expected_loss_ppm / 1e6 AS expected_loss, margin_before_ppm / 1e6 AS margin_before, margin_after_ppm / 1e6 AS margin_after, outcome
FROM priced
WHERE is_over
