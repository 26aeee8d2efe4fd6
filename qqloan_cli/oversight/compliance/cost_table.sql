-- grain:    an approved application or an offer from the day on which its costs must be shown
-- inputs:   made, offers, cost_table, rules
-- leaves:   rule, made_in, subject (an offer: with its number), on_date, found (the table's total a year; null: no table, or it does not add up), allowed (the all-in cost), amount_fen, breaks
WITH
shown AS (
  SELECT
    run_id AS made_in, application_id, offer_no, max(annualised) FILTER (WHERE item = 'total') AS total, sum(annualised) FILTER (WHERE item IN ('interest', 'monthly_fee', 'upfront_fee')) AS parts,
    max(amount_fen) FILTER (WHERE item = 'total') = sum(amount_fen) FILTER (WHERE item IN ('interest', 'monthly_fee', 'upfront_fee')) AS adds_up,
    count(*) FILTER (WHERE item = 'principal') = 1 AND count(*) FILTER (WHERE item = 'interest') = 1 AND count(*) FILTER (WHERE item = 'late_interest' AND contingent) = 1 AS is_whole
  FROM cost_table GROUP BY run_id, application_id, offer_no
),
must_show AS (
  SELECT made_in, subject AS application_id, 0 AS offer_no, on_date, cost_said, amount_fen FROM made WHERE made_in <> 'book'
  UNION ALL
  SELECT offers.run_id, offers.application_id, offers.offer_no, CAST("limit".applied_at AS DATE), CAST(offers.all_in_annual_cost AS DOUBLE), offers.amount_fen
  FROM offers JOIN "limit" USING (run_id, application_id)
)
SELECT
  rules.rule, made_in, application_id || CASE WHEN offer_no > 0 THEN '#' || offer_no ELSE '' END AS subject, on_date,
  CASE WHEN is_whole AND adds_up AND parts = total THEN CAST(total AS DOUBLE) END AS found, cost_said AS allowed, amount_fen,
  found IS NULL OR abs(found - allowed) > 0.0000005 AS breaks
FROM must_show LEFT JOIN shown USING (made_in, application_id, offer_no)
JOIN rules ON on_date BETWEEN from_date AND to_date
WHERE rules.topic = 'cost_table'
