-- grain:    a contract of the book: an application's tranches together
-- inputs:   loans, instalments, funded_by, state, costs (made.py), source_costs (run_id, source, cost_ppm); variable lgd_ppm
-- leaves:   what impact_approvals.sql leaves; outstanding_fen at the day on which the book is seen
WITH fees AS (
  -- Every instalment has the monthly fee, the first also what is charged once; a single one has all of it.
  SELECT
    loan_id, CAST(sum(fee_fen) AS BIGINT) AS fee_fen, count(*) AS instalments,
    CASE WHEN count(*) > 1 THEN arg_max(fee_fen, instalment_no) ELSE 0 END AS monthly_fee_fen
  FROM instalments GROUP BY loan_id
), funds AS (
  SELECT loan_id, CAST(sum(amount_fen) AS BIGINT) AS fen, CAST(sum(amount_fen * cost_ppm) AS HUGEINT) AS weighed
  FROM funded_by JOIN loans USING (loan_id) JOIN source_costs USING (run_id, source) GROUP BY loan_id
), contracts AS (
  SELECT
    loans.run_id, loans.application_id, min(drawn_on) AS written_on, min(product) AS product, min("method") AS "method", coalesce(min(grade), '-') AS grade, max(term_months) AS term_months,
    CAST(sum(loans.principal_fen) AS BIGINT) AS amount_fen, CAST(sum(coalesce(state.principal_fen, 0)) AS BIGINT) AS outstanding_fen, max(annual_rate_ppm) AS rate_ppm,
    CAST(sum(fees.monthly_fee_fen) AS BIGINT) AS monthly_fee_fen, CAST(sum(fees.fee_fen - fees.monthly_fee_fen * fees.instalments) AS BIGINT) AS once_fen,
    CAST(sum(weighed) // nullif(sum(fen), 0) AS BIGINT) AS cost_of_funds_ppm, CAST(round(max(pd) * getvariable('lgd_ppm')) AS BIGINT) AS expected_loss_ppm
  FROM loans
  JOIN fees USING (loan_id)
  LEFT JOIN funds USING (loan_id)
  LEFT JOIN state USING (loan_id)
  GROUP BY loans.run_id, loans.application_id
)
SELECT
  'contracts' AS scope, b.run_id, b.application_id, written_on, product, "method", grade, term_months, amount_fen, outstanding_fen, rate_ppm, monthly_fee_fen,
  greatest(once_fen, 0) AS upfront_fee_fen, cost_of_funds_ppm, expected_loss_ppm, c.nominal AS made_nominal, c.effective AS made_effective
FROM contracts AS b
LEFT JOIN costs AS c ON c.made_in = 'book' AND c.application_id = b.application_id
ORDER BY run_id, application_id
