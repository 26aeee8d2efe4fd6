-- limit, third part: the decision and its reasons, and the waterfall's steps.
--
-- grain     limit: application; limit_steps: application and step
-- reads     known, waterfall, said, offers (priced by loans/pricing.py), verify, income, score, step_book, product_book, lender
-- contract  contracts/stages.py: limit, limit_steps

CREATE OR REPLACE TEMP MACRO in_share(ppm) AS CAST(CAST(ppm AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(12,6));

CREATE OR REPLACE TEMP TABLE decided AS
SELECT
  w.place, w.application_id, w.hits, w.unknowns, w.binding_step, w.offered_fen, w.max_amount_fen, w.payment, w.term_months,
  CASE
    WHEN w.outcome <> 'offer' THEN w.outcome
    WHEN NOT o.over_cap THEN 'approved'
    WHEN k.grade IS DISTINCT FROM k.grade_without_social AND k.person_said IS NULL THEN 'social-alone'
    ELSE 'over-cap'
  END                                                                            AS outcome,
  coalesce(o.repriced, false)                                                    AS repriced,
  coalesce(w.term_months < k.requested_term_months, false)                       AS shortened,
  coalesce(k.person_reason, '')                                                  AS person_reason
FROM waterfall w
JOIN known k USING (place)
LEFT JOIN offers o USING (place);

-- Reasons of the rules and the waterfall, in order of weight: once for each case that occurs.
CREATE OR REPLACE TEMP TABLE cases AS
WITH occurring AS (
  SELECT DISTINCT outcome, hits, unknowns, binding_step, repriced, shortened, person_reason FROM decided
)
SELECT
  o.*,
  list_filter(
    CASE o.outcome
      WHEN 'declined-by-rule' THEN s.declines
      WHEN 'declined-by-person' THEN [o.person_reason] || s.refers
      WHEN 'referred' THEN s.refers
      WHEN 'social-alone' THEN ['R-SOCIAL-ALONE', b.code]
      WHEN 'below-minimum' THEN ['L-BELOW-MINIMUM', b.code]
      WHEN 'over-cap' THEN ['P-OVER-CAP']
      ELSE ['L-APPROVED', nullif(o.person_reason, ''), CASE WHEN b.step <> 'requested' THEN b.code END, CASE WHEN o.repriced THEN 'P-REPRICED' END,
            CASE WHEN o.shortened THEN 'L-TERM-SHORTENED' END] || s.notes
    END, lambda x: x IS NOT NULL)                                                AS codes,
  CASE o.outcome WHEN 'referred' THEN s.desk WHEN 'social-alone' THEN 'credit' END AS refer_to,
  CASE WHEN o.outcome = 'declined-by-rule' THEN 'fail' WHEN o.outcome IN ('referred', 'declined-by-person') THEN 'refer' END AS check_outcome,
  CASE WHEN o.outcome = 'declined-by-rule' THEN s.verify_declines ELSE check_outcome IS NOT NULL AND s.verify_refers END AS by_verify,
  CASE WHEN o.outcome = 'declined-by-rule' THEN s.income_declines ELSE check_outcome IS NOT NULL AND s.income_refers END AS by_income,
  CASE WHEN o.outcome = 'declined-by-rule' THEN s.score_declines ELSE check_outcome IS NOT NULL AND s.score_refers END   AS by_score,
  s.rules_hit, s.rules_unknown,
  b.step AS binding_cap
FROM occurring o
JOIN said s USING (hits, unknowns)
JOIN step_book b ON b.step_no = o.binding_step;

-- Beside a rule that another stage explains stand that stage's own reasons: of those the ones that stop, each once.
CREATE OR REPLACE TEMP TABLE explained AS
WITH from_stages AS (
  SELECT
    d.place,
    CASE WHEN c.by_verify THEN list_transform(list_filter(v.checks, lambda x: x.outcome = c.check_outcome), lambda x: x.code) ELSE [] END
      || CASE WHEN c.by_income AND k.shown_income_fen IS NULL THEN list_filter(i.reasons || i.flags, lambda x: list_contains(l.telling, x)) ELSE [] END
      || CASE WHEN c.by_score THEN m.reason_codes ELSE [] END                    AS codes
  FROM decided d
  JOIN (SELECT * FROM cases WHERE by_verify OR by_income OR by_score) c USING (outcome, hits, unknowns, binding_step, repriced, shortened, person_reason)
  JOIN (SELECT place, shown_income_fen FROM known) k USING (place)
  CROSS JOIN lender l
  LEFT JOIN (SELECT application_id, checks FROM verify WHERE verdict <> 'pass') v USING (application_id)
  LEFT JOIN income i USING (application_id)
  LEFT JOIN score m USING (application_id)
)
SELECT place, list_filter(codes, lambda x, n: x IS NOT NULL AND list_position(codes, x) = n) AS codes FROM from_stages;

CREATE OR REPLACE TEMP VIEW "limit" AS
WITH told AS (
  SELECT d.*, c.codes, c.refer_to, c.rules_hit, c.rules_unknown, c.binding_cap,
    d.outcome = 'approved' AS approved, d.outcome <> 'declined-by-rule' AS looked_at
  FROM decided d JOIN cases c USING (outcome, hits, unknowns, binding_step, repriced, shortened, person_reason)
)
SELECT
  d.application_id                                                               AS application_id,
  k.applicant_id                                                                 AS applicant_id,
  k.applied_at                                                                   AS applied_at,
  k.product                                                                      AS product,
  k.licence                                                                      AS licence,
  k.region                                                                       AS region,
  k.purpose                                                                      AS purpose,
  k.requested_amount_fen                                                         AS requested_amount_fen,
  coalesce(k.requested_term_months, p.term_usual)                                AS requested_term_months,
  CASE WHEN d.approved THEN 'approve' WHEN d.outcome IN ('referred', 'social-alone') THEN 'refer' ELSE 'decline' END AS decision,
  CASE WHEN e.codes IS NULL THEN d.codes ELSE d.codes || e.codes END             AS reason_codes,
  d.refer_to                                                                     AS refer_to,
  CASE WHEN d.approved THEN d.offered_fen END                                    AS amount_fen,
  CASE WHEN d.approved THEN d.term_months END                                    AS term_months,
  CASE WHEN d.approved THEN p.method END                                         AS method,
  CASE WHEN d.approved THEN in_share(o.annual_rate_ppm) END                      AS annual_rate,
  CASE WHEN d.approved THEN in_share(p.monthly_fee_ppm) END                      AS monthly_fee_rate,
  CASE WHEN d.approved THEN o.upfront_fee_fen END                                AS upfront_fee_fen,
  CASE WHEN d.approved THEN in_share(CASE WHEN l.legal_is_effective THEN o.effective_ppm ELSE o.nominal_ppm END) END AS all_in_annual_cost,
  CASE WHEN d.approved THEN in_share(o.nominal_ppm) END                          AS all_in_nominal,
  CASE WHEN d.approved THEN in_share(o.effective_ppm) END                        AS all_in_effective,
  in_share(k.cost_cap_ppm)                                                       AS cost_cap,
  CASE WHEN d.approved THEN o.largest_payment_fen END                            AS monthly_payment_fen,
  CASE WHEN d.looked_at THEN d.max_amount_fen END                                AS max_amount_fen,
  CASE WHEN d.looked_at THEN d.binding_cap END                                      AS binding_cap,
  -- Existing debts and this loan's monthly burden (the principal of one that falls due at once spread as the waterfall does) over income.
  CASE WHEN d.looked_at AND k.monthly_income_fen > 0
    THEN (k.debt_service_fen + d.offered_fen * d.payment // 1_000_000) / k.monthly_income_fen END AS dti,
  k.grade                                                                        AS grade,
  k.score                                                                        AS score,
  k.pd                                                                           AS pd,
  d.rules_hit                                                                    AS rules_hit,
  d.rules_unknown                                                                AS rules_unknown,
  l.policy_version                                                               AS policy_version
FROM told d
JOIN known k USING (place)
JOIN product_book p ON p.product = k.product
CROSS JOIN lender l
LEFT JOIN explained e USING (place)
LEFT JOIN offers o USING (place);

CREATE OR REPLACE TEMP TYPE limit_step AS ENUM (SELECT step FROM step_book ORDER BY step_no);

-- The waterfall in numbers, where it was looked at: not for those whom a rule declined before. Rows stay in waterfall's order.
CREATE OR REPLACE TEMP VIEW limit_steps AS
WITH steps AS (
  SELECT
    application_id,
    binding_step,
    unnest([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])                                      AS step_no,
    unnest(enum_range(CAST(NULL AS limit_step)))                                 AS step,
    unnest([requested_amount_fen, amount_max_fen, cap_multiple, cap_payment, cap_debt, cap_grade, cap_history, cap_social, cap_regulation, cap_exposure])
                                                                                 AS cap_fen,
    unnest([left_1, left_2, left_3, left_4, left_5, left_6, left_7, left_8, left_9, left_10])
                                                                                 AS running_fen,
    unnest([NULL, NULL, counted_fen, counted_fen, counted_fen, grade_cap_fen, NULL, social_of_fen, law_amount_max_fen, person_max_fen])
                                                                                 AS of_fen,
    unnest([NULL, NULL, multiple_hundredths * 10_000, payment_ppm, debt_ppm, 1_000_000 + greatest(social_ppm, 0), NULL, social_times_ppm, NULL, NULL])
                                                                                 AS times_ppm,
    unnest([NULL, NULL, NULL, NULL, debt_service_fen, NULL, NULL, NULL, exposure_fen, exposure_fen])
                                                                                 AS less_fen,
    unnest([NULL, NULL, NULL, stressed_rate_ppm, rate_ppm, NULL, NULL, NULL, NULL, NULL])
                                                                                 AS rate_ppm,
    unnest([NULL, NULL, NULL, term_months, term_months, NULL, NULL, NULL, NULL, NULL])
                                                                                 AS term_months
  FROM waterfall
  WHERE outcome <> 'declined-by-rule'
)
SELECT
  application_id                                                                 AS application_id,
  step_no                                                                        AS step_no,
  step                                                                           AS step,
  cap_fen                                                                        AS cap_fen,
  running_fen                                                                    AS running_fen,
  step_no = binding_step                                                         AS binding,
  of_fen                                                                         AS of_fen,
  in_share(times_ppm)                                                            AS times,
  less_fen                                                                       AS less_fen,
  in_share(rate_ppm)                                                             AS annual_rate,
  term_months                                                                    AS term_months
FROM steps;
