-- limit, third part: the decision and its reasons, and the waterfall in words.
--
-- grain     limit: application; limit_steps: application and step
-- reads     known, waterfall, ruled, said, wanted, offers (priced by loans/pricing.py), step_book, product_book, lender
-- contract  contracts/stages.py: limit, limit_steps

CREATE OR REPLACE TEMP MACRO in_share(ppm) AS CAST(CAST(ppm AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(9,6));
CREATE OR REPLACE TEMP MACRO in_words(fen) AS format('{:,}.{:02d}', fen // 100, fen % 100);
CREATE OR REPLACE TEMP MACRO percent(ppm) AS format('{:g} %', ppm / 10_000);
CREATE OR REPLACE TEMP MACRO trimmed(number) AS format('{:g}', number);

CREATE OR REPLACE TEMP TABLE limit_decided AS
SELECT
  k.*,
  w.* EXCLUDE (application_id, product, requested_amount_fen, amount_min_fen, amount_max_fen, amount_step_fen, term_months, on_date,
               monthly_income_fen, debt_service_fen, history, overdue_months_24m, exposure_fen, law_amount_max_fen),
  s.* EXCLUDE (hits, unknowns),
  o.annual_rate_ppm, o.nominal_ppm, o.effective_ppm, o.largest_payment_fen, o.upfront_fee_fen, o.repriced, o.over_cap,
  b.step AS binding_cap, b.code AS binding_code,
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
JOIN waterfall w USING (application_id)
JOIN ruled r USING (application_id)
JOIN said s USING (hits, unknowns)
JOIN step_book b ON b.step_no = w.binding_step
LEFT JOIN offers o USING (application_id);

CREATE OR REPLACE TEMP TABLE reasoned AS
WITH explained AS (
  SELECT
    application_id, outcome,
    CASE
      WHEN outcome = 'declined-by-rule' THEN declines
        || CASE WHEN verify_declines THEN list_transform(list_filter(checks, lambda x: x.outcome = 'fail'), lambda x: x.code) ELSE [] END
        || CASE WHEN income_declines THEN list_filter(income_reasons || flags, lambda x: list_contains(telling, x)) ELSE [] END
        || CASE WHEN score_declines THEN score_reasons ELSE [] END
      WHEN outcome = 'referred' THEN refers
        || CASE WHEN verify_refers THEN list_transform(list_filter(checks, lambda x: x.outcome = 'refer'), lambda x: x.code) ELSE [] END
        || CASE WHEN income_refers THEN list_filter(income_reasons || flags, lambda x: list_contains(telling, x)) ELSE [] END
        || CASE WHEN score_refers THEN score_reasons ELSE [] END
      WHEN outcome = 'social-alone' THEN ['R-SOCIAL-ALONE', binding_code]
      WHEN outcome = 'below-minimum' THEN ['L-BELOW-MINIMUM', binding_code]
      WHEN outcome = 'over-cap' THEN ['P-OVER-CAP']
      ELSE ['L-APPROVED']
        || CASE WHEN binding_cap <> 'requested' THEN [binding_code] ELSE [] END
        || CASE WHEN repriced THEN ['P-REPRICED'] ELSE [] END
        || CASE WHEN term_months < requested_term_months THEN ['L-TERM-SHORTENED'] ELSE [] END
        || notes
    END                                                                          AS codes
  FROM limit_decided CROSS JOIN (SELECT telling FROM lender)
)
SELECT
  application_id,
  list_filter(codes, lambda x, i: x IS NOT NULL AND list_position(codes, x) = i) AS reason_codes   -- each once, in order of weight
FROM explained;

CREATE OR REPLACE TEMP TABLE "limit" AS
SELECT
  d.application_id                                                               AS application_id,
  d.applicant_id                                                                 AS applicant_id,
  d.applied_at                                                                   AS applied_at,
  d.product                                                                      AS product,
  d.licence                                                                      AS licence,
  d.region                                                                       AS region,
  d.purpose                                                                      AS purpose,
  d.requested_amount_fen                                                         AS requested_amount_fen,
  coalesce(d.requested_term_months, p.term_usual)                                AS requested_term_months,
  CASE d.outcome WHEN 'approved' THEN 'approve' WHEN 'referred' THEN 'refer' WHEN 'social-alone' THEN 'refer' ELSE 'decline' END AS decision,
  r.reason_codes                                                                 AS reason_codes,
  CASE d.outcome WHEN 'referred' THEN d.desk WHEN 'social-alone' THEN 'credit' END AS refer_to,
  CASE WHEN d.outcome = 'approved' THEN d.offered_fen END                        AS amount_fen,
  CASE WHEN d.outcome = 'approved' THEN d.term_months END                        AS term_months,
  CASE WHEN d.outcome = 'approved' THEN p.method END                             AS method,
  CASE WHEN d.outcome = 'approved' THEN in_share(d.annual_rate_ppm) END          AS annual_rate,
  CASE WHEN d.outcome = 'approved' THEN in_share(p.monthly_fee_ppm) END          AS monthly_fee_rate,
  CASE WHEN d.outcome = 'approved' THEN d.upfront_fee_fen END                    AS upfront_fee_fen,
  CASE WHEN d.outcome = 'approved' THEN in_share(CASE WHEN l.legal_is_effective THEN d.effective_ppm ELSE d.nominal_ppm END) END AS all_in_annual_cost,
  CASE WHEN d.outcome = 'approved' THEN in_share(d.nominal_ppm) END              AS all_in_nominal,
  CASE WHEN d.outcome = 'approved' THEN in_share(d.effective_ppm) END            AS all_in_effective,
  in_share(d.cost_cap_ppm)                                                       AS cost_cap,
  CASE WHEN d.outcome = 'approved' THEN d.largest_payment_fen END                AS monthly_payment_fen,
  CASE WHEN d.outcome <> 'declined-by-rule' THEN d.max_amount_fen END            AS max_amount_fen,
  CASE WHEN d.outcome <> 'declined-by-rule' THEN d.binding_cap END               AS binding_cap,
  -- Existing debts and this loan's monthly burden (the principal of one that falls due at once spread as the waterfall does) over income.
  CASE WHEN d.outcome <> 'declined-by-rule' AND d.monthly_income_fen > 0
    THEN (d.debt_service_fen + d.offered_fen * d.payment // 1_000_000) / d.monthly_income_fen END AS dti,
  d.grade                                                                        AS grade,
  d.score                                                                        AS score,
  d.pd                                                                           AS pd,
  d.rules_hit                                                                    AS rules_hit,
  d.rules_unknown                                                                AS rules_unknown,
  l.policy_version                                                               AS policy_version
FROM limit_decided d
JOIN reasoned r USING (application_id)
JOIN product_book p ON p.product = d.product
CROSS JOIN lender l;

-- The waterfall in words, where it was looked at: not for those whom a rule declined before.
CREATE OR REPLACE TEMP TABLE limit_steps AS
WITH steps AS (
  SELECT
    d.application_id,
    d.binding_step,
    unnest([
      {step_no: 1, cap: d.requested_amount_fen, running: d.left_1, basis: 'asked for'},
      {step_no: 2, cap: d.amount_max_fen, running: d.left_2,
       basis: d.product || ': ' || in_words(d.amount_min_fen) || ' to ' || in_words(d.amount_max_fen)},
      {step_no: 3, cap: d.cap_multiple, running: d.left_3,
       basis: CASE WHEN d.counted_fen IS NULL THEN 'income unknown' ELSE d.income_words || ' x ' || trimmed(d.multiple_hundredths / 100) END},
      {step_no: 4, cap: d.cap_payment, running: d.left_4,
       basis: percent(d.payment_ppm) || ' of ' || d.income_words || ' = ' || in_words(d.payment_room_fen) || ' a month, '
         || d.term_words || ' at ' || percent(d.stressed_rate_ppm) || ' (stressed)'},
      {step_no: 5, cap: d.cap_debt, running: d.left_5,
       basis: percent(d.debt_ppm) || ' of ' || d.income_words || ' less debts ' || in_words(d.debt_service_fen) || ' = '
         || in_words(d.debt_room_fen) || ' a month, ' || d.term_words || ' at ' || percent(d.rate_ppm)},
      {step_no: 6, cap: d.cap_grade, running: d.left_6,
       basis: 'grade ' || d.by_grade || ': ' || in_words(d.grade_cap_fen) || CASE WHEN d.social_ppm > 0 THEN ' + ' || percent(d.social_ppm) || ' social' ELSE '' END},
      {step_no: 7, cap: d.cap_history, running: d.left_7,
       basis: 'history ' || coalesce(d.history, 'unknown') || ', overdue months ' || coalesce(CAST(d.overdue_months_24m AS VARCHAR), 'unknown')},
      {step_no: 8, cap: d.cap_social, running: d.left_8,
       basis: d.band || CASE WHEN d.social_ppm < 0 THEN ': policy caps ' || percent(d.social_ppm) WHEN d.social_ppm > 0 THEN ': in the grade''s cap' ELSE ': neutral' END},
      {step_no: 9, cap: d.cap_regulation, running: d.left_9,
       basis: CASE WHEN d.law_amount_max_fen IS NULL THEN 'no cap on ' || CAST(d.on_date AS VARCHAR)
         ELSE in_words(d.law_amount_max_fen) || ' on ' || CAST(d.on_date AS VARCHAR) || ' less ' || in_words(d.exposure_fen) || ' held' END},
      {step_no: 10, cap: d.cap_exposure, running: d.left_10,
       basis: in_words(d.person_max_fen) || ' a person less ' || in_words(d.exposure_fen) || ' held'}
    ]) AS one
  FROM (
    SELECT
      *,
      'income ' || in_words(counted_fen) || CASE WHEN counts_ppm < 1_000_000 THEN ' (' || percent(counts_ppm) || ' of ' || in_words(monthly_income_fen) || ')' ELSE '' END
                                                                                 AS income_words,
      term_months || ' months'                                                   AS term_words
    FROM limit_decided
    WHERE outcome <> 'declined-by-rule'
  ) d
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
