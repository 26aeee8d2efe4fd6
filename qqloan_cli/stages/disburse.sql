-- disburse: the funded loans of a bucket and who funds them, in order of application.
-- Grain: funded application; funded_shares: application and source. Reads: limit, funding, funding_shares; of the configuration plans, source_places.
-- Leaves: funded_loans, funded_shares; disburse.py makes disburse_plan and schedule of them, a whole bucket at a time.

CREATE OR REPLACE TEMP TABLE funded_loans AS
WITH funded AS (
  SELECT application_id, funded_fen FROM funding WHERE funded_fen > 0
),
agreed AS (
  SELECT
    l.application_id, l.licence, f.funded_fen, l.term_months, l.upfront_fee_fen,
    coalesce(p.plan, -1)                                      AS plan,        -- -1: a product that the configuration does not know
    CAST(l.annual_rate * 1000000 AS BIGINT)                   AS annual_rate_ppm,
    CAST(l.monthly_fee_rate * 1000000 AS BIGINT)              AS monthly_fee_ppm,
    list_position(['equal_instalment', 'equal_principal', 'interest_only', 'bullet'], l."method") - 1 AS method
  FROM "limit" AS l
  JOIN funded AS f USING (application_id)
  LEFT JOIN plans AS p ON p.product = l.product
)
SELECT
  CAST(row_number() OVER (ORDER BY application_id) - 1 AS BIGINT) AS loan,
  CAST(application_id AS VARCHAR)                             AS application_id,
  CAST(plan AS BIGINT)                                        AS plan,
  CAST(funded_fen AS BIGINT)                                  AS principal_fen,
  CAST(term_months AS BIGINT)                                 AS term_months,
  CAST(coalesce(method, 0) AS BIGINT)                         AS method,      -- codes of loans.schedule
  CAST(annual_rate_ppm AS BIGINT)                             AS annual_rate_ppm,
  CAST((coalesce(monthly_fee_ppm, 0) * funded_fen + 500000) // 1000000 AS BIGINT) AS monthly_fee_fen, -- half a fen counts as one
  CAST(coalesce(upfront_fee_fen, 0) AS BIGINT)                AS upfront_fee_fen
FROM agreed
ORDER BY application_id;

CREATE OR REPLACE TEMP TABLE funded_shares AS
SELECT
  CAST(l.loan AS BIGINT)        AS loan,
  CAST(s.source AS VARCHAR)     AS source,
  CAST(p.place AS BIGINT)       AS place,        -- null: a source that the configuration does not know
  CAST(s.amount_fen AS BIGINT)  AS amount_fen
FROM funding_shares AS s
JOIN funded_loans AS l USING (application_id)
LEFT JOIN source_places AS p USING (source)
ORDER BY l.loan, s.source;
