-- offers, second part: of what would be approved as it stands, the nearest to what was asked for.
--
-- reads     approvable (candidate, with what the rules made of it), offer_settings
-- contract  offers (qqloan_cli/contracts/stages.py)
-- Near is a small shortfall of the amount and a small change of the term, each as a share of what was asked for; an offer that another
-- beats in one and does not lose to in the other is left out. The same product comes before others.

CREATE OR REPLACE TEMP VIEW offers AS
WITH measured AS (
  SELECT *,
    1_000_000 * greatest(requested_amount_fen - amount_fen, 0) // greatest(requested_amount_fen, 1)            AS short_ppm,
    1_000_000 * abs(term_months - requested_term_months) // greatest(requested_term_months, 1)                 AS moved_ppm
  FROM approvable
  WHERE (amount_fen, term_months) IS DISTINCT FROM (approved_fen, approved_term_months)
), unbeaten AS (
  SELECT m.* FROM measured m
  WHERE NOT EXISTS (
    FROM measured o
    WHERE o.application_id = m.application_id AND o.same_product >= m.same_product
      AND o.short_ppm <= m.short_ppm AND o.moved_ppm <= m.moved_ppm AND (o.short_ppm < m.short_ppm OR o.moved_ppm < m.moved_ppm)
  )
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY application_id ORDER BY same_product DESC, short_ppm + moved_ppm, amount_fen DESC, term_months, product) AS offer_no
  FROM unbeaten
)
SELECT
  application_id, offer_no, product, amount_fen, term_months, method, annual_rate, all_in_annual_cost, all_in_nominal, all_in_effective, cost_cap,
  monthly_payment_fen, requested_amount_fen - amount_fen AS less_fen, term_months - requested_term_months AS longer_months
FROM ranked, offer_settings s
WHERE offer_no <= s.most;
