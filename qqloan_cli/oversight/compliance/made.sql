-- grain:    an approved application of a run, or a contract of the book (its tranches together)
-- inputs:   limit, costs (made.py), products (product, kind), loans, days_of_check (since: of the book what was first drawn from then on)
-- leaves:   made: made_in, subject, applicant_id, on_date (of the contract: the application's, or the first drawdown), product, product_kind, method,
--           term_months, amount_fen, cost_nominal, cost_effective (worked out anew), cost_said (by the limit stage), region, purpose
SELECT
  decided.run_id AS made_in, decided.application_id AS subject, decided.applicant_id, CAST(decided.applied_at AS DATE) AS on_date, decided.product, products.kind AS product_kind,
  decided.method, decided.term_months, decided.amount_fen, costs.nominal AS cost_nominal, costs.effective AS cost_effective, CAST(decided.all_in_annual_cost AS DOUBLE) AS cost_said,
  decided.region, decided.purpose
FROM "limit" AS decided
LEFT JOIN products USING (product)
LEFT JOIN costs ON costs.made_in = decided.run_id AND costs.application_id = decided.application_id
WHERE decided.decision = 'approve'
UNION ALL
SELECT
  'book', loans.application_id, any_value(applicant_id), min(drawn_on), any_value(product), any_value(products.kind),
  any_value(method), max(term_months), CAST(sum(principal_fen) AS BIGINT), any_value(costs.nominal), any_value(costs.effective), NULL,
  any_value(region), NULL
FROM loans
LEFT JOIN products USING (product)
LEFT JOIN costs ON costs.made_in = 'book' AND costs.application_id = loans.application_id
GROUP BY loans.application_id
HAVING min(drawn_on) >= (SELECT since FROM days_of_check)
