-- credit: what the credit report says of each application, on its own date.
-- Grain: application. A tradeline opened, or an inquiry made, after the application is not seen.
-- Inputs: applicants, credit_accounts, credit_inquiries (one bucket); credit_settings (one row), grid_codes, credit_kinds,
--         soft_inquiries: configs/credit.toml.
-- Contract: credit (qqloan_cli/contracts/stages.py).

CREATE OR REPLACE TEMP TABLE applications AS
SELECT application_id, applicant_id, CAST(applied_at AS DATE) AS applied_on FROM applicants;

-- Repayment grids repeat (most are two years of N): each distinct one is read once. The last 24 codes, oldest first. Numbers for
-- names: g is a grid's, and orders nothing.
CREATE OR REPLACE TEMP TABLE distinct_grids AS
SELECT row_number() OVER () AS g, grid_24m, codes, length(codes) AS length FROM (
  SELECT grid_24m, upper(right(trim(grid_24m), 24)) AS codes FROM credit_accounts WHERE trim(grid_24m) <> '' GROUP BY grid_24m
);

CREATE OR REPLACE TEMP TABLE grids AS
WITH months AS (
  SELECT g, length, unnest(range(1, length + 1)) AS month_no, codes FROM distinct_grids
),
meant AS (
  SELECT m.g, m.month_no, m.length, c.dpd, coalesce(c.overdue, false) AS overdue, coalesce(c.bad, false) AS bad, coalesce(c.reported, false) AS reported
  FROM months m LEFT JOIN grid_codes c ON c.code = substr(m.codes, CAST(m.month_no AS INTEGER), 1)
),
rows_of_overdue AS (
  SELECT g, max(length) AS length FROM (
    SELECT g, count(*) AS length FROM (
      SELECT g, month_no - row_number() OVER (PARTITION BY g ORDER BY month_no) AS island FROM meant WHERE overdue
    ) GROUP BY g, island
  ) GROUP BY g
),
summed AS (
  SELECT
    g,
    max(dpd)                                          AS worst_dpd,
    count(*) FILTER (overdue)                         AS overdue_months,
    bool_or(bad)                                      AS bad,
    bool_or(overdue AND month_no = length)            AS overdue_now,
    count(*) FILTER (reported)                        AS reported_months
  FROM meant GROUP BY g
)
SELECT d.grid_24m, s.* EXCLUDE (g), coalesce(r.length, 0) AS consecutive
FROM distinct_grids d JOIN summed s USING (g) LEFT JOIN rows_of_overdue r USING (g);

CREATE OR REPLACE TEMP TABLE tradelines AS
WITH known AS (
  SELECT
    x.application_id, x.applied_on, c.opened_at, c.lender, c.src_file, c.src_row, c.status, c.worst_dpd_24m, c.limit_fen, c.monthly_payment_fen,
    coalesce(k.kind, 'other') AS kind, c.balance_fen,
    coalesce(c.status IN ('written_off', 'bad_debt'), false) AS ended_badly,
    -- closed only if it was so by then: a date of closing later than the application is not known yet
    coalesce(c.closed_at <= x.applied_on, c.status = 'closed', false) AS closed,
    c.grid_24m
  FROM credit_accounts c
  JOIN applications x ON x.applicant_id = c.applicant_id AND c.opened_at <= x.applied_on
  LEFT JOIN credit_kinds k ON k.kind = c.kind
)
SELECT
  t.*, k.secured, k.revolving, NOT t.closed AS open,
  g.worst_dpd, g.overdue_months, g.consecutive, g.reported_months,
  t.ended_badly OR coalesce(g.bad, false) AS bad,
  NOT t.closed AND (coalesce(t.status = 'overdue', false) OR coalesce(g.overdue_now, false)) AS overdue_now,
  CASE WHEN t.closed THEN 0 ELSE greatest(coalesce(t.balance_fen, t.limit_fen * k.unknown_permille // 1000, 0), 0) END AS owed_fen,
  k.payment_ppm
FROM known t JOIN credit_kinds k ON k.kind = t.kind LEFT JOIN grids g ON g.grid_24m = t.grid_24m;

CREATE OR REPLACE TEMP VIEW credit AS
WITH report AS (
  SELECT
    application_id,
    count(*)                                                                    AS accounts,
    count(*) FILTER (open)                                                      AS open_accounts,
    max(datediff('month', opened_at, applied_on) - CAST(day(opened_at) > day(applied_on) AS INTEGER)) AS oldest_months,
    max(greatest(worst_dpd, worst_dpd_24m))                                     AS worst_dpd,
    sum(overdue_months)                                                         AS overdue_months,
    max(consecutive)                                                            AS consecutive,
    sum(reported_months)                                                        AS reported_months,
    count(worst_dpd_24m)                                                        AS dpd_given,
    bool_or(bad)                                                                AS bad,
    bool_or(overdue_now)                                                        AS overdue_now,
    coalesce(sum(limit_fen) FILTER (open AND revolving), 0)                     AS card_line,
    coalesce(sum(owed_fen) FILTER (revolving), 0)                               AS card_owed,
    sum(owed_fen)                                                               AS owed,
    coalesce(sum(owed_fen) FILTER (NOT secured), 0)                             AS unsecured,
    -- what the report says is due; else what the kind of tradeline makes likely. Nothing is due on nothing owed.
    sum(CASE WHEN NOT open OR (balance_fen = 0 AND NOT overdue_now) THEN 0
             ELSE coalesce(monthly_payment_fen, CAST(owed_fen AS HUGEINT) * payment_ppm // 1000000) END) AS due,
    count(DISTINCT coalesce(lender, concat_ws('/', src_file, src_row))) FILTER (open AND NOT secured AND NOT revolving) AS lenders,
    count(*) FILTER (open AND kind = 'microloan')                               AS microloans
  FROM tradelines GROUP BY application_id
),
hard_inquiries AS (
  SELECT
    x.application_id,
    count(*) FILTER (i.inquired_at > x.applied_on - s.short_days)   AS within_short,
    count(*) FILTER (i.inquired_at > x.applied_on - s.middle_days)  AS within_middle,
    count(*)                                                        AS within_long
  FROM credit_inquiries i CROSS JOIN credit_settings s
  JOIN applications x ON x.applicant_id = i.applicant_id AND i.inquired_at <= x.applied_on AND i.inquired_at > x.applied_on - s.long_days
  WHERE i.reason IS NULL OR i.reason NOT IN (SELECT reason FROM soft_inquiries)
  GROUP BY x.application_id
)
SELECT
  x.application_id,
  x.applicant_id,
  coalesce(r.accounts, 0)                                            AS credit_accounts,
  coalesce(r.open_accounts, 0)                                       AS open_accounts,
  r.oldest_months                                                    AS oldest_account_months,
  r.worst_dpd                                                        AS worst_dpd_24m,
  r.overdue_months                                                   AS overdue_months_24m,
  r.consecutive                                                      AS consecutive_overdue_24m,
  coalesce(r.bad, false)                                             AS bad_status,
  coalesce(r.overdue_now, false)                                     AS currently_overdue,
  coalesce(r.card_line, 0)                                           AS revolving_limit_fen,
  coalesce(r.card_owed, 0)                                           AS revolving_balance_fen,
  -- one division of whole numbers: the same everywhere
  CASE WHEN r.card_line > 0 THEN CAST(r.card_owed AS DOUBLE) / CAST(r.card_line AS DOUBLE) END AS utilisation,
  coalesce(r.owed, 0)                                                AS total_balance_fen,
  coalesce(r.unsecured, 0)                                           AS unsecured_balance_fen,
  coalesce(r.due, 0)                                                 AS account_debt_service_fen,
  coalesce(r.lenders, 0)                                             AS lenders_open,
  coalesce(r.microloans, 0)                                          AS microloans_open,
  coalesce(h.within_short, 0)                                        AS hard_inquiries_1m,
  coalesce(h.within_middle, 0)                                       AS hard_inquiries_3m,
  coalesce(h.within_long, 0)                                         AS hard_inquiries_6m,
  CASE
    WHEN r.accounts IS NULL THEN 'none'
    WHEN r.oldest_months < s.thin_months THEN 'thin'
    WHEN coalesce(r.reported_months, 0) < s.thin_reported AND r.dpd_given = 0 THEN 'thin'
    ELSE 'full'
  END                                                                AS history
FROM applications x CROSS JOIN credit_settings s
LEFT JOIN report r USING (application_id)
LEFT JOIN hard_inquiries h USING (application_id);
