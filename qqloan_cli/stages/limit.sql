-- limit, first part: what the rules ask about, and the waterfall.
--
-- grain     application
-- reads     applicants, links, verify, income, credit, social, score; reviews: what people said of applications that were referred
-- settings  lender, product_book, product_terms, product_purposes, purposes_refused, law_periods, payment_book, grade_book,
--           confidence_book, overdue_caps, limit_row (configs/, as limit.py brings them)
-- leaves    known    one row an application: everything that is known
--           facts    the same as rules see it: the columns of policy/facts.py
--           carried  the waterfall: term, price, every step's cap and what is left after it
-- Money is fen in whole numbers and divisions round down, so a cap is never passed by a rounding. Rates are millionths.

-- The application with its product. A name that nobody knows gets the first product's numbers and is not known.
CREATE OR REPLACE TEMP TABLE application AS
WITH first_product AS (SELECT product AS first_name FROM product_book WHERE place = 0)
SELECT
  row_number() OVER (ORDER BY a.application_id)                                  AS place,           -- joins by number are cheaper than by name
  a.application_id,
  a.applicant_id,
  a.applied_at,
  CAST(a.applied_at AS DATE)                                                     AS on_date,
  a.region,
  a.purpose,
  a.requested_amount_fen,
  a.term_months                                                                  AS requested_term_months,
  a.student                                                                      AS student_said,
  r.decision                                                                     AS person_said,     -- null: nobody was asked, or nobody has answered
  r.reason                                                                       AS person_reason,
  coalesce(r.exception, false)                                                   AS by_exception,
  r.monthly_income_fen                                                           AS shown_income_fen,
  r.income_confidence                                                            AS shown_confidence,
  least(a.requested_amount_fen, r.amount_fen)                                    AS wanted_amount_fen,
  coalesce(p.product, f.first_name)                                              AS product,
  a.product IS NULL OR p.product IS NOT NULL OR l.unknown_product = 'first'      AS product_known
FROM applicants a
CROSS JOIN lender l
CROSS JOIN first_product f
LEFT JOIN product_book p ON p.product = a.product
LEFT JOIN reviews r ON r.application_id = a.application_id
ORDER BY place;

-- What the law of the day says to each product: once for each day and product in the bucket.
CREATE OR REPLACE TEMP TABLE law AS
WITH days AS (SELECT DISTINCT on_date, product FROM application)
SELECT
  d.on_date,
  d.product,
  min(r.value) FILTER (r.topic = 'price_cap')                                    AS cost_cap_ppm,   -- null: none applies
  min(r.value) FILTER (r.topic = 'amount_max')                                   AS amount_max_fen, -- null: none applies
  min(r.value) FILTER (r.topic = 'term_max')                                     AS term_max,       -- null: none applies
  coalesce(bool_or(r.topic = 'student_ban'), false)                              AS student_loan_banned
FROM days d
JOIN product_book p USING (product)
LEFT JOIN law_periods r
  ON d.on_date BETWEEN r.from_date AND r.to_date
  AND (r.product_kind IS NULL OR r.product_kind = p.kind)
  AND (r.method IS NULL OR r.method = p.method)
GROUP BY d.on_date, d.product;

-- What the stages before say. Their contracts give each a row for every application, in order of application_id, so they stand
-- side by side; limit.py holds the numbers in beside against that, and a table that is not there at all is all missing.
CREATE OR REPLACE TEMP TABLE evidence AS
SELECT
  a.place,
  (v.application_id IS NULL OR v.application_id = a.application_id) AND (n.application_id IS NULL OR n.application_id = a.application_id)
    AND (i.application_id IS NULL OR i.application_id = a.application_id) AND (c.application_id IS NULL OR c.application_id = a.application_id)
    AND (s.application_id IS NULL OR s.application_id = a.application_id) AND (m.application_id IS NULL OR m.application_id = a.application_id)
                                                                                 AS beside,
  coalesce(a.student_said, v.student)                                            AS student,
  v.age_years, v.verdict,
  CASE WHEN v.verdict = 'fail'
    THEN len(list_filter(v.checks, lambda x: x."check" = 'blocklist' AND x.outcome = 'fail')) > 0
    WHEN v.verdict IS NOT NULL THEN false END                                    AS blocklisted,
  n.id_other_applicants, n.phone_other_applicants, n.device_other_applicants,
  n.applications_1d, n.applications_7d, n.applications_30d, n.declines_90d, n.open_application, n.money_cycle,
  coalesce(n.exposure_fen, 0)                                                    AS exposure_fen,
  coalesce(a.shown_income_fen, i.monthly_income_fen)                             AS monthly_income_fen,
  coalesce(a.shown_confidence, i.income_confidence)                              AS income_confidence,
  i.months_covered, i.income_cv, i.income_trend,
  list_contains(i.flags, 'I-INFLATED')                                           AS income_inflated,
  list_contains(i.flags, 'I-CIRCULAR')                                           AS income_circular,
  list_contains(i.flags, 'I-BALANCE-BREAK')                                      AS balance_break,
  CAST(len(i.flags) AS INTEGER)                                                  AS income_flags,
  i.gambling_fen, i.loan_proceeds_fen, i.statement_months,
  greatest(coalesce(c.account_debt_service_fen, 0) + coalesce(i.undeclared_debt_service_fen, 0), coalesce(i.statement_debt_service_fen, 0))
                                                                                 AS debt_service_fen, -- the same loans seen twice: not their sum
  c.history, c.open_accounts, c.worst_dpd_24m, c.overdue_months_24m, c.consecutive_overdue_24m, c.bad_status, c.currently_overdue,
  c.utilisation, c.unsecured_balance_fen, c.lenders_open, c.microloans_open, c.hard_inquiries_1m, c.hard_inquiries_3m, c.hard_inquiries_6m,
  s.social_band, s.ring_alert, s.ring_size, s.thin_file,
  m.pd, m.grade, m.score, m.pd_without_social, m.grade_without_social
FROM application a
POSITIONAL JOIN verify v
POSITIONAL JOIN links n
POSITIONAL JOIN income i
POSITIONAL JOIN credit c
POSITIONAL JOIN social s
POSITIONAL JOIN score m;

-- The term: the product's longest that is not longer than asked for, ends in time and is within the law; else its shortest that fits.
CREATE OR REPLACE TEMP TABLE term AS
WITH wanted AS (
  SELECT DISTINCT a.product, a.requested_term_months, e.age_years, w.term_max
  FROM application a JOIN law w USING (on_date, product) JOIN evidence e USING (place)
)
SELECT
  w.product, w.requested_term_months, w.age_years, w.term_max,
  coalesce(
    max(t.term_months) FILTER (t.term_months <= coalesce(w.requested_term_months, p.term_usual)),
    min(t.term_months)
  )                                                                              AS term_months     -- null: none fits
FROM wanted w
JOIN product_book p USING (product)
LEFT JOIN product_terms t
  ON t.product = w.product
  AND (w.term_max IS NULL OR t.term_months <= w.term_max)
  AND (w.age_years IS NULL OR w.age_years * 12 + t.term_months <= p.age_max_at_end * 12)
GROUP BY w.product, w.requested_term_months, w.age_years, w.term_max;

-- Everything on one line.
CREATE OR REPLACE TEMP TABLE known AS
SELECT
  a.*,
  l.licence,
  p.age_min, p.age_max, p.amount_min_fen, p.amount_max_fen, p.amount_step_fen,
  w.cost_cap_ppm, w.amount_max_fen AS law_amount_max_fen, w.student_loan_banned,
  t.term_months,
  e.* EXCLUDE (place, beside)
FROM application a
JOIN evidence e USING (place)
CROSS JOIN lender l
JOIN product_book p ON p.product = a.product
JOIN law w ON w.on_date = a.on_date AND w.product = a.product
JOIN term t ON t.product = a.product
  AND t.requested_term_months IS NOT DISTINCT FROM a.requested_term_months
  AND t.age_years IS NOT DISTINCT FROM e.age_years
  AND t.term_max IS NOT DISTINCT FROM w.term_max;

CREATE OR REPLACE TEMP MACRO in_yuan(fen) AS CAST(CAST(fen AS DECIMAL(18,0)) * CAST(0.01 AS DECIMAL(3,2)) AS DECIMAL(20,2));

-- A view: what no rule asks for is not worked out.
CREATE OR REPLACE TEMP VIEW facts AS
SELECT
  k.place,
  k.licence,
  k.product,
  k.product_known,
  in_yuan(k.requested_amount_fen)                                                AS requested_amount,
  k.term_months IS NOT NULL                                                      AS term_possible,
  k.purpose,
  CASE WHEN k.purpose IS NOT NULL THEN r.purpose IS NOT NULL END                 AS purpose_refused,
  CASE WHEN k.purpose IS NOT NULL THEN u.purpose IS NOT NULL END                 AS purpose_usual,
  CAST(k.age_years AS INTEGER)                                                   AS age_years,
  CAST(k.age_min AS INTEGER)                                                     AS age_min,
  CAST(k.age_max AS INTEGER)                                                     AS age_max,
  k.student,
  k.student_loan_banned,
  k.verdict,
  k.blocklisted,
  k.id_other_applicants,
  k.phone_other_applicants,
  k.device_other_applicants,
  k.applications_1d,
  k.applications_7d,
  k.applications_30d,
  k.declines_90d,
  k.open_application,
  in_yuan(k.exposure_fen)                                                        AS exposure,
  k.money_cycle,
  in_yuan(k.monthly_income_fen)                                                  AS monthly_income,
  k.income_confidence,
  k.months_covered,
  k.income_cv,
  k.income_trend,
  k.income_inflated,
  k.income_circular,
  k.balance_break,
  k.income_flags,
  in_yuan(k.gambling_fen)                                                        AS gambling,
  in_yuan(k.loan_proceeds_fen)                                                   AS loan_proceeds,
  k.statement_months,
  in_yuan(k.debt_service_fen)                                                    AS debt_service,
  k.history,
  k.open_accounts,
  k.worst_dpd_24m,
  k.overdue_months_24m,
  k.consecutive_overdue_24m,
  k.bad_status,
  k.currently_overdue,
  k.utilisation,
  in_yuan(k.unsecured_balance_fen)                                               AS unsecured_balance,
  k.lenders_open,
  k.microloans_open,
  k.hard_inquiries_1m,
  k.hard_inquiries_3m,
  k.hard_inquiries_6m,
  k.social_band,
  k.ring_alert,
  k.ring_size,
  k.thin_file,
  k.pd,
  k.grade,
  k.pd_without_social,
  k.grade_without_social
FROM known k
LEFT JOIN purposes_refused r USING (purpose)
LEFT JOIN product_purposes u ON u.product = k.product AND u.purpose = k.purpose;

-- The waterfall, taken twice where it matters: with social evidence, and as if there were none (to see whether that alone would decline).
CREATE OR REPLACE TEMP TABLE carried AS
WITH views AS (
  SELECT place, true AS with_social, grade AS known_grade, coalesce(social_band, 'unknown') AS band FROM known
  UNION ALL
  SELECT place, false, grade_without_social, 'unknown' FROM known
  WHERE grade IS DISTINCT FROM grade_without_social OR social_band = 'weak'
), counted AS (
  SELECT
    k.place, k.application_id, v.with_social, v.band,
    k.product, coalesce(k.wanted_amount_fen, k.requested_amount_fen) AS requested_amount_fen, k.by_exception, k.amount_min_fen, k.amount_max_fen, k.amount_step_fen, k.term_months, k.on_date,
    k.monthly_income_fen, k.debt_service_fen, k.history, k.overdue_months_24m, k.exposure_fen, k.law_amount_max_fen,
    g.grade AS by_grade, g.multiple_hundredths, g.payment_ppm, g.debt_ppm, g.cap_fen AS grade_cap_fen,
    b.rate_ppm, b.rate_ppm + r.stress_ppm AS stressed_rate_ppm, b.payment, b.stressed,
    r.without_income_fen, r.person_max_fen, r.history_none_fen, r.history_thin_fen,
    -- A billion yuan a month is more than any income: beyond it the products below would not fit 64 bits.
    CASE WHEN k.monthly_income_fen IS NOT NULL
      THEN least(k.monthly_income_fen, 100_000_000_000) * c.counts_ppm // 1_000_000 END AS counted_fen,
    CASE v.band WHEN 'strong' THEN r.social_strong_ppm WHEN 'weak' THEN r.social_weak_ppm ELSE 0 END AS social_ppm
  FROM views v
  JOIN known k USING (place)
  CROSS JOIN limit_row r
  JOIN grade_book g ON g.grade = coalesce(v.known_grade, r.worst_grade)   -- without a score: as the worst; a person decides anyway
  LEFT JOIN payment_book b ON b.product = k.product AND b.grade = g.grade AND b.term_months = k.term_months
  LEFT JOIN confidence_book c ON c.confidence = coalesce(k.income_confidence, 'none')
), rooms AS (
  -- What a month has room for: for this loan's instalment, and beside the debts there are.
  SELECT
    c.*,
    counted_fen * payment_ppm // 1_000_000                                       AS payment_room_fen,
    CASE WHEN counted_fen IS NOT NULL
      THEN greatest(counted_fen * debt_ppm // 1_000_000 - debt_service_fen, 0) END AS debt_room_fen,
    o.cap_fen                                                                    AS overdue_cap_fen
  FROM counted c
  LEFT JOIN overdue_caps o ON c.overdue_months_24m BETWEEN o.from_months AND o.to_months
), caps AS (
  -- Each step's own cap; null where the step does not apply: those that are policy, to an exception that a person made.
  SELECT
    *,
    CASE WHEN by_exception THEN NULL WHEN counted_fen IS NULL THEN without_income_fen ELSE counted_fen * multiple_hundredths // 100 END AS cap_multiple,
    CASE WHEN NOT by_exception THEN payment_room_fen * 1_000_000 // stressed END AS cap_payment,
    CASE WHEN NOT by_exception THEN debt_room_fen * 1_000_000 // payment END     AS cap_debt,
    -- As a strong network may raise it; a weak one lowers all that is policy, in a step of its own.
    CASE WHEN NOT by_exception THEN grade_cap_fen * (1_000_000 + greatest(social_ppm, 0)) // 1_000_000 END AS cap_grade,
    CASE WHEN NOT by_exception THEN
      least(CASE history WHEN 'none' THEN history_none_fen WHEN 'thin' THEN history_thin_fen END, overdue_cap_fen) END AS cap_history,
    CASE WHEN social_ppm < 0 THEN least(cap_multiple, cap_grade, cap_history) END AS social_of_fen,
    CASE WHEN social_ppm < 0 THEN 1_000_000 + social_ppm END                     AS social_times_ppm,
    social_of_fen * social_times_ppm // 1_000_000                                AS cap_social,
    CASE WHEN law_amount_max_fen IS NOT NULL THEN greatest(law_amount_max_fen - exposure_fen, 0) END AS cap_regulation,
    greatest(person_max_fen - exposure_fen, 0)                                   AS cap_exposure
  FROM rooms
)
SELECT
  *,
  requested_amount_fen                                                           AS left_1,
  least(left_1, amount_max_fen)                                                  AS left_2,
  least(left_2, cap_multiple)                                                    AS left_3,
  least(left_3, cap_payment)                                                     AS left_4,
  least(left_4, cap_debt)                                                        AS left_5,
  least(left_5, cap_grade)                                                       AS left_6,
  least(left_6, cap_history)                                                     AS left_7,
  least(left_7, cap_social)                                                      AS left_8,
  least(left_8, cap_regulation)                                                  AS left_9,
  least(left_9, cap_exposure)                                                    AS left_10,
  left_10 // amount_step_fen * amount_step_fen                                   AS offered_fen,
  -- What it allows whether asked for or not.
  least(amount_max_fen, cap_multiple, cap_payment, cap_debt, cap_grade, cap_history, cap_social, cap_regulation, cap_exposure)
    // amount_step_fen * amount_step_fen                                         AS max_amount_fen,
  -- The first step after which nothing fell any more.
  CASE left_10
    WHEN left_1 THEN 1 WHEN left_2 THEN 2 WHEN left_3 THEN 3 WHEN left_4 THEN 4 WHEN left_5 THEN 5
    WHEN left_6 THEN 6 WHEN left_7 THEN 7 WHEN left_8 THEN 8 WHEN left_9 THEN 9 ELSE 10 END AS binding_step
FROM caps;
