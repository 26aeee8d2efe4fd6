-- fund: the approved loans in the order in which they are served.
-- Grain: approved application. Reads: limit, funding_refusals (everybody, with bucket). Leaves: approved_loans, refusals; fund.py does the rest.
-- The best score comes first, at equal scores who applied earlier; the application's id only decides what nothing else does.

CREATE OR REPLACE TEMP TABLE approved_loans AS
SELECT
  CAST(application_id AS VARCHAR)             AS application_id,
  CAST(bucket AS USMALLINT)                   AS bucket,
  CAST(amount_fen AS BIGINT)                  AS amount_fen,    -- approved
  CAST(term_months AS INTEGER)                AS term_months,
  CAST(round(coalesce(pd, 1) * 1e6) AS BIGINT) AS pd_ppm,       -- in millionths, so that sums are exact; unknown counts as lost
  CAST(coalesce(product, '') AS VARCHAR)      AS product,
  CAST(coalesce(grade, '') AS VARCHAR)        AS grade,
  CAST(region AS VARCHAR)                     AS region         -- null: not known
FROM "limit"
WHERE decision = 'approve' AND amount_fen > 0
ORDER BY score DESC NULLS LAST, applied_at, application_id;

-- Sources that have looked at a loan and refused it, by the loan's place in that order: the others get a second look.
CREATE OR REPLACE TEMP TABLE refusals AS
SELECT DISTINCT a.rowid AS place, r.source
FROM funding_refusals r JOIN approved_loans a USING (application_id) CROSS JOIN batch b
WHERE r.refused_at IS NULL OR r.refused_at <= b.as_of;
