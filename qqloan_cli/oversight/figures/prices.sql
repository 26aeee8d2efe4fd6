-- grain:    a grade of the latest date's approved applications
-- inputs:   decisions, limit
-- leaves:   grade, approved, annual_rate (mean, weighted by amount), all_in_annual_cost (the same), highest_all_in_annual_cost, lowest_cost_cap, expected_bad_rate
SELECT
  decisions.grade, count(*) AS approved, round(sum(decisions.amount_fen * decisions.annual_rate) / sum(decisions.amount_fen), 6) AS annual_rate,
  round(sum(decisions.amount_fen * decisions.all_in_annual_cost) / sum(decisions.amount_fen), 6) AS all_in_annual_cost,
  round(max(decisions.all_in_annual_cost), 6) AS highest_all_in_annual_cost, CAST(min("limit".cost_cap) AS DOUBLE) AS lowest_cost_cap, round(avg(decisions.pd), 6) AS expected_bad_rate
FROM decisions JOIN "limit" USING (run_id, application_id)
WHERE decisions.age = 0 AND decisions.decision = 'approve' GROUP BY decisions.grade ORDER BY decisions.grade
