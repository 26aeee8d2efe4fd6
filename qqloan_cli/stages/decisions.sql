-- decisions: what each application is told.
-- Grain: application. Reads: limit, funding, score (a bucket), decide_by_product (configuration and calendar). Leaves: decided.
-- What was not approved has no amount, term, rate or funds: null, which is not zero.

CREATE OR REPLACE TEMP VIEW decided AS
WITH waiting AS (
  SELECT application_id, funded_fen, queue_reason FROM funding
),
longest AS (
  SELECT decide_by FROM decide_by_product WHERE product IS NULL
)
SELECT
  CAST(l.application_id AS VARCHAR)                                                   AS application_id,
  CAST(l.applicant_id AS VARCHAR)                                                     AS applicant_id,
  CAST(l.decision AS VARCHAR)                                                         AS decision,
  CAST(CASE WHEN l.decision = 'approve' THEN l.amount_fen END AS BIGINT)              AS amount_fen,
  CAST(CASE WHEN l.decision = 'approve' THEN l.term_months END AS INTEGER)            AS term_months,
  CAST(CASE WHEN l.decision = 'approve' THEN l.annual_rate END AS DECIMAL(9,6))       AS annual_rate,
  CAST(CASE WHEN l.decision = 'approve' THEN l.all_in_annual_cost END AS DECIMAL(9,6)) AS all_in_annual_cost,
  CAST(l.grade AS VARCHAR)                                                            AS grade,
  CAST(l.score AS INTEGER)                                                            AS score,
  CAST(l.pd AS DOUBLE)                                                                AS pd,
  CAST(l.binding_cap AS VARCHAR)                                                      AS binding_cap,
  CAST(CASE WHEN w.queue_reason IS NULL THEN l.reason_codes
            ELSE list_concat(l.reason_codes, ['F-QUEUED', w.queue_reason]) END AS VARCHAR[]) AS reason_codes, -- waiting is said, and why
  CAST(l.refer_to AS VARCHAR)                                                         AS refer_to,
  CAST(coalesce(p.decide_by, longest.decide_by) AS DATE)                              AS decide_by,
  CAST(CASE WHEN l.decision = 'approve' AND w.funded_fen > 0 THEN w.funded_fen END AS BIGINT) AS funded_fen,
  CAST(l.policy_version AS VARCHAR)                                                   AS policy_version,
  CAST(s.model_version AS VARCHAR)                                                    AS model_version
FROM "limit" AS l
LEFT JOIN waiting AS w USING (application_id)
LEFT JOIN score AS s USING (application_id)
LEFT JOIN decide_by_product AS p ON p.product = l.product
CROSS JOIN longest;
