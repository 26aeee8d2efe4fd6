-- limit, third part: the decision and its reasons, and the waterfall in words.
--
-- grain     limit: application; limit_steps: application and step
-- reads     known, waterfall, ruled, said, wanted, offers (priced by loans/pricing.py), step_book, product_book, lender
-- contract  contracts/stages.py: limit, limit_steps

CREATE OR REPLACE TEMP MACRO in_share(ppm) AS CAST(CAST(ppm AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(9,6));
CREATE OR REPLACE TEMP MACRO in_words(fen) AS format('{:,}.{:02d}', fen // 100, fen % 100);

CREATE OR REPLACE TEMP TABLE limit_decided AS
SELECT
  w.*,
  k.grade, k.requested_term_months,
  r.hits, r.unknowns,
  o.over_cap, o.repriced,
  CASE
    WHEN len(s.declines) > 0 THEN 'declined-by-rule'
    WHEN len(s.refers) > 0 THEN 'referred'
    -- Social evidence alone never declines: where the offer fails only with it, a person decides.
    WHEN w.offered_fen < w.amount_min_fen AND w.offered_without_social_fen >= w.amount_min_fen THEN 'social-alone'
    WHEN w.offered_fen < w.amount_min_fen THEN 'below-minimum'
    WHEN o.over_cap AND k.grade IS DISTINCT FROM k.grade_without_social THEN 'social-alone'
    WHEN o.over_cap THEN 'over-cap'
    ELSE 'approved'
  END                                                                            AS outcome
FROM known k
JOIN waterfall w USING (place)
JOIN ruled r USING (place)
JOIN said s USING (hits, unknowns)
LEFT JOIN offers o USING (place);

CREATE OR REPLACE TEMP TABLE reasoned AS
WITH spoken_for AS (
  -- Beside a rule that another stage explains stand that stage's own reasons: of those, the ones that stop.
  SELECT
    d.place,
    CASE WHEN d.outcome = 'declined-by-rule' THEN s.verify_declines ELSE s.verify_refers END AS by_verify,
    CASE WHEN d.outcome = 'declined-by-rule' THEN s.income_declines ELSE s.income_refers END AS by_income,
    CASE WHEN d.outcome = 'declined-by-rule' THEN s.score_declines ELSE s.score_refers END   AS by_score,
    CASE WHEN d.outcome = 'declined-by-rule' THEN 'fail' ELSE 'refer' END         AS check_outcome,
    d.application_id
  FROM limit_decided d JOIN said s USING (hits, unknowns)
  WHERE d.outcome IN ('declined-by-rule', 'referred')
), from_stages AS (
  SELECT
    f.place,
    CASE WHEN f.by_verify THEN list_transform(list_filter(v.checks, lambda x: x.outcome = f.check_outcome), lambda x: x.code) ELSE [] END
      || CASE WHEN f.by_income THEN list_filter(i.reasons || i.flags, lambda x: list_contains(l.telling, x)) ELSE [] END
      || CASE WHEN f.by_score THEN m.reason_codes ELSE [] END                    AS codes
  FROM (SELECT * FROM spoken_for WHERE by_verify OR by_income OR by_score) f
  CROSS JOIN lender l
  LEFT JOIN verify v USING (application_id)
  LEFT JOIN income i USING (application_id)
  LEFT JOIN score m USING (application_id)
), explained AS (
  SELECT
    d.place,
    CASE d.outcome
      WHEN 'declined-by-rule' THEN s.declines || coalesce(f.codes, [])
      WHEN 'referred' THEN s.refers || coalesce(f.codes, [])
      WHEN 'social-alone' THEN ['R-SOCIAL-ALONE', b.code]
      WHEN 'below-minimum' THEN ['L-BELOW-MINIMUM', b.code]
      WHEN 'over-cap' THEN ['P-OVER-CAP']
      ELSE ['L-APPROVED', CASE WHEN b.step <> 'requested' THEN b.code END, CASE WHEN d.repriced THEN 'P-REPRICED' END,
            CASE WHEN d.term_months < d.requested_term_months THEN 'L-TERM-SHORTENED' END] || s.notes
    END                                                                          AS codes
  FROM limit_decided d
  JOIN said s USING (hits, unknowns)
  JOIN step_book b ON b.step_no = d.binding_step
  LEFT JOIN from_stages f USING (place)
)
SELECT
  place,
  list_filter(codes, lambda x, i: x IS NOT NULL AND list_position(codes, x) = i) AS reason_codes   -- each once, in order of weight
FROM explained;

CREATE OR REPLACE TEMP TABLE "limit" AS
WITH told AS (
  SELECT place, application_id, outcome, outcome = 'approved' AS approved, outcome <> 'declined-by-rule' AS looked_at, hits, unknowns, binding_step,
    offered_fen, max_amount_fen, payment, debt_service_fen, monthly_income_fen, term_months
  FROM limit_decided
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
  r.reason_codes                                                                 AS reason_codes,
  CASE d.outcome WHEN 'referred' THEN s.desk WHEN 'social-alone' THEN 'credit' END AS refer_to,
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
  CASE WHEN d.looked_at THEN b.step END                                          AS binding_cap,
  -- Existing debts and this loan's monthly burden (the principal of one that falls due at once spread as the waterfall does) over income.
  CASE WHEN d.looked_at AND d.monthly_income_fen > 0
    THEN (d.debt_service_fen + d.offered_fen * d.payment // 1_000_000) / d.monthly_income_fen END AS dti,
  k.grade                                                                        AS grade,
  k.score                                                                        AS score,
  k.pd                                                                           AS pd,
  s.rules_hit                                                                    AS rules_hit,
  s.rules_unknown                                                                AS rules_unknown,
  l.policy_version                                                               AS policy_version
FROM told d
JOIN known k USING (place)
JOIN said s USING (hits, unknowns)
JOIN reasoned r USING (place)
JOIN step_book b ON b.step_no = d.binding_step
JOIN product_book p ON p.product = k.product
CROSS JOIN lender l
LEFT JOIN offers o USING (place);

-- The waterfall in words, where it was looked at: not for those whom a rule declined before.
CREATE OR REPLACE TEMP TABLE limit_steps AS
WITH income_said AS (
  SELECT
    *,
    'income ' || in_words(counted_fen)
      || CASE WHEN counts_ppm < 1_000_000 THEN ' (' || format('{:g}', counts_ppm / 10_000) || ' % of ' || in_words(monthly_income_fen) || ')' ELSE '' END AS income_words,
    CASE WHEN exposure_fen > 0 THEN ' less ' || in_words(exposure_fen) || ' held' ELSE '' END AS held_words
  FROM limit_decided
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
