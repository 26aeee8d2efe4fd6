-- limit, third part: the decision and its reasons, and the waterfall in words.
--
-- grain     limit: application; limit_steps: application and step
-- reads     known, waterfall, said, offers (priced by loans/pricing.py), verify, income, score, step_book, product_book, lender
-- contract  contracts/stages.py: limit, limit_steps

CREATE OR REPLACE TEMP MACRO in_share(ppm) AS CAST(CAST(ppm AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(9,6));
CREATE OR REPLACE TEMP MACRO in_words(fen) AS format('{:,}.{:02d}', fen // 100, fen % 100);

CREATE OR REPLACE TEMP TABLE decided AS
SELECT
  w.place, w.application_id, w.hits, w.unknowns, w.binding_step, w.offered_fen, w.max_amount_fen, w.payment, w.term_months,
  CASE
    WHEN w.outcome <> 'offer' THEN w.outcome
    WHEN NOT o.over_cap THEN 'approved'
    WHEN k.grade IS DISTINCT FROM k.grade_without_social THEN 'social-alone'
    ELSE 'over-cap'
  END                                                                            AS outcome,
  coalesce(o.repriced, false)                                                    AS repriced,
  coalesce(w.term_months < k.requested_term_months, false)                       AS shortened
FROM waterfall w
JOIN known k USING (place)
LEFT JOIN offers o USING (place);

-- Reasons of the rules and the waterfall, in order of weight: once for each case that occurs.
CREATE OR REPLACE TEMP TABLE cases AS
WITH occurring AS (
  SELECT DISTINCT outcome, hits, unknowns, binding_step, repriced, shortened FROM decided
)
SELECT
  o.*,
  list_filter(
    CASE o.outcome
      WHEN 'declined-by-rule' THEN s.declines
      WHEN 'referred' THEN s.refers
      WHEN 'social-alone' THEN ['R-SOCIAL-ALONE', b.code]
      WHEN 'below-minimum' THEN ['L-BELOW-MINIMUM', b.code]
      WHEN 'over-cap' THEN ['P-OVER-CAP']
      ELSE ['L-APPROVED', CASE WHEN b.step <> 'requested' THEN b.code END, CASE WHEN o.repriced THEN 'P-REPRICED' END,
            CASE WHEN o.shortened THEN 'L-TERM-SHORTENED' END] || s.notes
    END, lambda x: x IS NOT NULL)                                                AS codes,
  CASE o.outcome WHEN 'referred' THEN s.desk WHEN 'social-alone' THEN 'credit' END AS refer_to,
  CASE o.outcome WHEN 'declined-by-rule' THEN 'fail' WHEN 'referred' THEN 'refer' END AS check_outcome,
  CASE o.outcome WHEN 'declined-by-rule' THEN s.verify_declines WHEN 'referred' THEN s.verify_refers ELSE false END AS by_verify,
  CASE o.outcome WHEN 'declined-by-rule' THEN s.income_declines WHEN 'referred' THEN s.income_refers ELSE false END AS by_income,
  CASE o.outcome WHEN 'declined-by-rule' THEN s.score_declines WHEN 'referred' THEN s.score_refers ELSE false END   AS by_score,
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
      || CASE WHEN c.by_income THEN list_filter(i.reasons || i.flags, lambda x: list_contains(l.telling, x)) ELSE [] END
      || CASE WHEN c.by_score THEN m.reason_codes ELSE [] END                    AS codes
  FROM decided d
  JOIN (SELECT * FROM cases WHERE by_verify OR by_income OR by_score) c USING (outcome, hits, unknowns, binding_step, repriced, shortened)
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
  FROM decided d JOIN cases c USING (outcome, hits, unknowns, binding_step, repriced, shortened)
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

-- The waterfall in words, where it was looked at: not for those whom a rule declined before.
CREATE OR REPLACE TEMP VIEW limit_steps AS
WITH income_said AS (
  SELECT
    *,
    'income ' || in_words(counted_fen)
      || CASE WHEN counts_ppm < 1_000_000 THEN ' (' || format('{:g}', counts_ppm / 10_000) || ' % of ' || in_words(monthly_income_fen) || ')' ELSE '' END AS income_words,
    CASE WHEN exposure_fen > 0 THEN ' less ' || in_words(exposure_fen) || ' held' ELSE '' END AS held_words
  FROM waterfall
  WHERE outcome <> 'declined-by-rule'
), steps AS (
  SELECT
    d.application_id,
    d.binding_step,
    unnest([
      {step_no: 1, cap: d.requested_amount_fen, running: d.left_1, basis: 'asked for'},
      {step_no: 2, cap: d.amount_max_fen, running: d.left_2, basis: p.range_words},
      {step_no: 3, cap: d.cap_multiple, running: d.left_3, basis: coalesce(d.income_words || ' x ' || g.multiple_words, 'income unknown')},
      {step_no: 4, cap: d.cap_payment, running: d.left_4,
       basis: g.payment_words || ' of ' || d.income_words || ' = ' || in_words(d.payment_room_fen) || ' a month, ' || b.stressed_words},
      {step_no: 5, cap: d.cap_debt, running: d.left_5,
       basis: g.debt_words || ' of ' || d.income_words || ' less debts ' || in_words(d.debt_service_fen) || ' = '
         || in_words(d.debt_room_fen) || ' a month, ' || b.rate_words},
      {step_no: 6, cap: d.cap_grade, running: d.left_6, basis: g.cap_words || CASE WHEN d.social_ppm > 0 THEN r.strong_words ELSE '' END},
      {step_no: 7, cap: d.cap_history, running: d.left_7,
       basis: 'history ' || coalesce(d.history, 'unknown') || ', overdue months ' || coalesce(CAST(d.overdue_months_24m AS VARCHAR), 'unknown')},
      {step_no: 8, cap: d.cap_social, running: d.left_8,
       basis: d.band || CASE WHEN d.social_ppm < 0 THEN r.weak_words WHEN d.social_ppm > 0 THEN ': in the grade''s cap' ELSE ': neutral' END},
      {step_no: 9, cap: d.cap_regulation, running: d.left_9, basis: w.amount_words || d.held_words},
      {step_no: 10, cap: d.cap_exposure, running: d.left_10, basis: r.person_max_words || d.held_words}
    ]) AS one
  FROM income_said d
  CROSS JOIN limit_row r
  JOIN grade_book g ON g.grade = d.by_grade
  JOIN product_book p ON p.product = d.product
  JOIN (SELECT on_date, product, coalesce(in_words(amount_max_fen), 'no cap') || ' on ' || CAST(on_date AS VARCHAR) AS amount_words FROM law) w
    ON w.on_date = d.on_date AND w.product = d.product
  LEFT JOIN payment_book b ON b.product = d.product AND b.grade = d.by_grade AND b.term_months = d.term_months
)
SELECT
  s.application_id                                                               AS application_id,
  s.one.step_no                                                                  AS step_no,
  b.step                                                                         AS step,
  s.one.cap                                                                      AS cap_fen,
  s.one.running                                                                  AS running_fen,
  s.one.step_no = s.binding_step                                                 AS binding,
  coalesce(s.one.basis, 'does not apply')                                        AS basis
FROM steps s
JOIN step_book b ON b.step_no = s.one.step_no;
