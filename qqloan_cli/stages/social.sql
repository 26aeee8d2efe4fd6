-- What social evidence says of an applicant: activity, payments, holdings, ties. Unknown is unknown, not bad; it never declines.
-- grain: application. reads: applicants, social_activity, wealth, links, income, credit; settings: rules (one row), bands. writes: social.
-- Only whole months before the month of the application count: the month under way is not over on its day.

CREATE OR REPLACE TEMP TABLE asked AS
SELECT application_id, applicant_id, CAST(date_trunc('month', applied_at) AS DATE) AS this_month,
  CAST(date_trunc('month', applied_at) - to_months(r.window_months) AS DATE) AS from_month,
  CAST(date_trunc('month', applied_at) - INTERVAL 3 MONTHS AS DATE) AS last_three_from,
  CAST(date_trunc('month', applied_at) - INTERVAL 6 MONTHS AS DATE) AS three_before_from
FROM applicants, rules AS r;

CREATE OR REPLACE TEMP TABLE activity_of AS
WITH per_month AS (  -- a month given twice counts once: what is larger
  SELECT applicant_id, CAST(date_trunc('month', month) AS DATE) AS month, max(active_days) AS active_days, max(contacts) AS contacts,
    max(payments_count) AS payments_count, max(payments_amount_fen) AS payments_amount_fen, max(account_age_days) AS account_age_days
  FROM social_activity GROUP BY 1, 2
)
SELECT
  a.application_id,
  max(m.account_age_days)                                                       AS account_age_days,
  count(*) FILTER (m.month >= a.from_month)                                     AS activity_months,
  sum(m.active_days) FILTER (m.month >= a.from_month)                           AS active_days,
  count(m.active_days) FILTER (m.month >= a.from_month)                         AS active_days_months,
  sum(m.active_days) FILTER (m.month >= a.last_three_from)                      AS active_days_last,
  count(m.active_days) FILTER (m.month >= a.last_three_from)                    AS months_last,
  sum(m.active_days) FILTER (m.month >= a.three_before_from AND m.month < a.last_three_from)   AS active_days_before,
  count(m.active_days) FILTER (m.month >= a.three_before_from AND m.month < a.last_three_from) AS months_before,
  max_by(m.contacts, m.month) FILTER (m.contacts IS NOT NULL AND m.month >= a.from_month)      AS contacts,  -- one row a month: no ties
  sum(m.payments_count) FILTER (m.month >= a.from_month)                        AS payments,
  count(m.payments_count) FILTER (m.month >= a.from_month)                      AS payments_months,
  sum(m.payments_amount_fen) FILTER (m.month >= a.from_month)                   AS paid_fen,
  count(m.payments_amount_fen) FILTER (m.month >= a.from_month)                 AS paid_months
FROM asked AS a JOIN per_month AS m ON m.applicant_id = a.applicant_id AND m.month < a.this_month
GROUP BY a.application_id;

CREATE OR REPLACE TEMP TABLE wealth_of AS
WITH per_month AS (
  SELECT applicant_id, CAST(date_trunc('month', month) AS DATE) AS month, max(balance_fen) AS balance_fen FROM wealth GROUP BY 1, 2
)
SELECT a.application_id, sum(m.balance_fen) AS held_fen, count(*) AS wealth_months
FROM asked AS a JOIN per_month AS m ON m.applicant_id = a.applicant_id AND m.month >= a.from_month AND m.month < a.this_month
GROUP BY a.application_id;

-- every measure, in whole numbers; NULL where it is not known
CREATE OR REPLACE TEMP TABLE measured AS
SELECT
  a.application_id, a.applicant_id,
  c.account_age_days, c.contacts,
  coalesce(c.activity_months, 0) AS months_active,
  c.active_days / c.active_days_months AS active_days_avg,
  CASE WHEN c.months_last > 0 AND c.months_before > 0 AND c.active_days_before > 0
    THEN (c.active_days_last * c.months_before) / (c.active_days_before * c.months_last) - 1 END AS activity_trend,
  c.payments / c.payments_months AS payments_avg,
  c.paid_fen // nullif(c.paid_months, 0) AS payments_amount_avg_fen,
  w.held_fen // nullif(w.wealth_months, 0) AS wealth_avg_fen,
  coalesce(w.wealth_months, 0) AS wealth_months,
  l.degree, l.core, l.pagerank_ppb, l.ring_size, l.ring_shape, l.ring_ties, l.money_cycle, l.neighbours_known, l.neighbours_bad,
  l.reciprocal / nullif(l.degree, 0) AS reciprocity,
  CASE WHEN l.month_degree > 1 THEN 2 * l.triangles / (CAST(l.month_degree AS BIGINT) * (l.month_degree - 1)) END AS clustering,
  CASE WHEN l.degree IS NOT NULL
    THEN (100 * l.neighbours_bad + r.prior_percent * r.prior_weight) / (100 * (l.neighbours_known + r.prior_weight)) END AS neighbour_bad_rate,
  coalesce(k.history, 'none') IN ('none', 'thin') AND coalesce(i.income_confidence, 'none') = 'none'
    AND coalesce(c.activity_months, 0) < r.thin_activity_months AS thin_file
FROM asked AS a
CROSS JOIN rules AS r
LEFT JOIN activity_of AS c USING (application_id)
LEFT JOIN wealth_of AS w USING (application_id)
LEFT JOIN links AS l USING (application_id)
LEFT JOIN income AS i USING (application_id)
LEFT JOIN credit AS k USING (application_id);

-- points got, and points that could be got, over the measures that are known
CREATE OR REPLACE TEMP TABLE scored AS
WITH by_measure AS (
  SELECT
    application_id,
    CAST(account_age_days AS BIGINT) AS account_age_days,
    CAST(floor(active_days_avg) AS BIGINT) AS active_days_avg,
    CAST(nullif(months_active, 0) AS BIGINT) AS activity_months,
    CAST(contacts AS BIGINT) AS contacts,
    CAST(floor(payments_avg) AS BIGINT) AS payments_avg,
    CAST(wealth_avg_fen // 100 AS BIGINT) AS wealth_avg_yuan,
    CAST(floor(100 * reciprocity) AS BIGINT) AS reciprocity_percent,
    CAST(floor(100 * clustering) AS BIGINT) AS clustering_percent,
    CAST(core AS BIGINT) AS core,
    CAST(CASE WHEN neighbours_known > 0 THEN floor(100 * (1 - neighbour_bad_rate)) END AS BIGINT) AS neighbours_good_percent
  FROM measured
),
known AS (
  UNPIVOT by_measure ON COLUMNS(* EXCLUDE (application_id)) INTO NAME measure VALUE amount
)
SELECT k.application_id, sum(b.points) AS points, sum(b.most_points) AS could_get
FROM known AS k JOIN bands AS b ON b.measure = k.measure AND greatest(k.amount, 0) >= b.from_value AND greatest(k.amount, 0) < b.below
GROUP BY k.application_id;

CREATE OR REPLACE TEMP VIEW social AS
WITH judged AS (
  SELECT
    m.*,
    -- half up, in whole numbers
    CASE WHEN 100 * s.could_get >= r.known_percent * r.all_points THEN (200 * s.points + s.could_get) // (2 * s.could_get) END AS social_score,
    coalesce(
      m.ring_size >= r.ring_size
      OR (m.ring_size >= r.ring_ties_size AND 100 * m.ring_ties >= r.ring_ties_percent * m.ring_size)
      OR (m.ring_size >= r.ring_cycle_size AND m.money_cycle), false) AS ring_alert,
    coalesce(m.neighbours_bad >= r.neighbours_bad_at_least AND 100 * m.neighbour_bad_rate >= r.neighbours_bad_percent, false) AS neighbours_are_bad,
    coalesce(m.account_age_days < r.new_account_days, false) AS new_account,
    r.strong_from, r.fair_from
  FROM measured AS m CROSS JOIN rules AS r LEFT JOIN scored AS s USING (application_id)
),
banded AS (
  SELECT *, CASE WHEN social_score >= strong_from THEN 'strong' WHEN social_score >= fair_from THEN 'fair' WHEN social_score IS NOT NULL THEN 'weak' ELSE 'unknown' END AS social_band
  FROM judged
)
SELECT
  application_id,
  applicant_id,
  CAST(social_score AS INTEGER)            AS social_score,
  social_band,
  account_age_days,
  CAST(active_days_avg AS DOUBLE)          AS active_days_avg,
  months_active                            AS activity_months,
  CAST(activity_trend AS DOUBLE)           AS activity_trend,
  contacts,
  CAST(payments_avg AS DOUBLE)             AS payments_avg,
  CAST(payments_amount_avg_fen AS BIGINT)  AS payments_amount_avg_fen,
  CAST(wealth_avg_fen AS BIGINT)           AS wealth_avg_fen,
  wealth_months,
  degree,
  CAST(reciprocity AS DOUBLE)              AS reciprocity,
  CAST(clustering AS DOUBLE)               AS clustering,
  core,
  pagerank_ppb,
  CAST(neighbour_bad_rate AS DOUBLE)       AS neighbour_bad_rate,
  ring_size,
  ring_shape,
  ring_alert,
  thin_file,
  list_filter([
    CASE WHEN ring_alert THEN 'S-RING' END,
    CASE WHEN neighbours_are_bad THEN 'S-NEIGHBOURS-BAD' END,
    CASE WHEN money_cycle THEN 'S-MONEY-CYCLE' END,
    CASE WHEN ring_size > 1 AND NOT ring_alert THEN 'S-TIED' END,
    CASE social_band WHEN 'strong' THEN 'S-STRONG' WHEN 'fair' THEN 'S-FAIR' WHEN 'weak' THEN 'S-WEAK' ELSE 'S-UNKNOWN' END,
    CASE WHEN new_account THEN 'S-NEW-ACCOUNT' END,
    CASE WHEN thin_file THEN 'S-THIN' END
  ], lambda code: code IS NOT NULL)        AS reasons  -- what a person should look at first
FROM banded;
