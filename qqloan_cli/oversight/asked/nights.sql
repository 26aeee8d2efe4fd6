-- grain:    a measure, subject and date of runs
-- inputs:   decisions, income, social, quarantine, run_inputs, runs
-- contract: measure, subject, as_of, age, value, sd (of one row, population), rows. Shares are means of 0 and 1; sums are of integers, so no
--           order changes them: pd in billionths, price in millionths, money in fen (told in yuan).
WITH
decided AS (
  SELECT
    as_of, age, count(*) AS n,
    count(*) FILTER (WHERE decision = 'approve')                                                    AS approved,
    count(*) FILTER (WHERE decision = 'refer')                                                      AS referred,
    count(*) FILTER (WHERE decision = 'decline')                                                    AS declined,
    count(*) FILTER (WHERE decision = 'approve' AND funded_fen IS NULL)                             AS queued,
    sum(CAST(amount_fen AS HUGEINT)) FILTER (WHERE decision = 'approve')                            AS amount,
    sum(CAST(amount_fen AS HUGEINT) * amount_fen) FILTER (WHERE decision = 'approve')               AS amount_squared,
    count(all_in_annual_cost) FILTER (WHERE decision = 'approve')                                   AS priced,
    sum(CAST(round(all_in_annual_cost * 1e6) AS HUGEINT)) FILTER (WHERE decision = 'approve')       AS price,
    sum(CAST(round(all_in_annual_cost * 1e6) AS HUGEINT) * CAST(round(all_in_annual_cost * 1e6) AS HUGEINT)) FILTER (WHERE decision = 'approve') AS price_squared,
    count(pd)                                                                                       AS scored,
    sum(CAST(round(pd * 1e9) AS HUGEINT))                                                           AS pd,
    sum(CAST(round(pd * 1e9) AS HUGEINT) * CAST(round(pd * 1e9) AS HUGEINT))                        AS pd_squared,
    count(pd) FILTER (WHERE decision = 'approve')                                                   AS approved_scored,
    sum(CAST(round(pd * 1e9) AS HUGEINT)) FILTER (WHERE decision = 'approve')                       AS approved_pd,
    sum(CAST(round(pd * 1e9) AS HUGEINT) * CAST(round(pd * 1e9) AS HUGEINT)) FILTER (WHERE decision = 'approve') AS approved_pd_squared
  FROM decisions
  GROUP BY as_of, age
),
earned AS (
  SELECT as_of, age, count(*) AS n, count(*) FILTER (WHERE monthly_income_fen IS NULL) AS unknown FROM income GROUP BY as_of, age
),
flagged AS (
  SELECT as_of, age, flag, count(*) AS hits FROM (SELECT DISTINCT as_of, age, run_id, application_id, unnest(flags) AS flag FROM income WHERE len(flags) > 0) GROUP BY as_of, age, flag
),
every_flag AS (
  SELECT DISTINCT flag FROM flagged UNION SELECT 'I-INFLATED'
),
tied AS (
  SELECT as_of, age, count(*) AS n, count(*) FILTER (WHERE ring_alert) AS rings FROM social GROUP BY as_of, age
),
reasoned AS (
  SELECT as_of, age, code, count(*) AS hits FROM (SELECT DISTINCT as_of, age, run_id, application_id, unnest(reason_codes) AS code FROM decisions) GROUP BY as_of, age, code
),
every_reason AS (
  SELECT DISTINCT code FROM reasoned
),
refused AS (
  SELECT as_of, age, input, count(DISTINCT (run_id, file, "row")) AS hits FROM quarantine GROUP BY as_of, age, input
),
brought AS (
  SELECT as_of, age, input, CAST(sum("rows") AS BIGINT) AS n FROM run_inputs GROUP BY as_of, age, input
),
set_aside AS (
  SELECT as_of, age, input, coalesce(hits, 0) AS hits, n FROM brought LEFT JOIN refused USING (as_of, age, input) WHERE n > 0
),
versions AS (
  SELECT as_of, age, count(*) AS n, count(*) FILTER (WHERE draft) AS drafts FROM runs GROUP BY as_of, age
),
counted AS (
  SELECT 'approval-rate' AS measure, CAST(NULL AS VARCHAR) AS subject, as_of, age, approved AS total, approved AS squares, n, 1 AS scale FROM decided
  UNION ALL BY NAME SELECT 'refer-rate' AS measure, as_of, age, referred AS total, referred AS squares, n, 1 AS scale FROM decided
  UNION ALL BY NAME SELECT 'decline-rate' AS measure, as_of, age, declined AS total, declined AS squares, n, 1 AS scale FROM decided
  UNION ALL BY NAME SELECT 'queue-share' AS measure, as_of, age, queued AS total, queued AS squares, approved AS n, 1 AS scale FROM decided
  UNION ALL BY NAME SELECT 'mean-limit' AS measure, as_of, age, amount AS total, amount_squared AS squares, approved AS n, 100 AS scale FROM decided
  UNION ALL BY NAME SELECT 'mean-price' AS measure, as_of, age, price AS total, price_squared AS squares, priced AS n, 1000000 AS scale FROM decided
  UNION ALL BY NAME SELECT 'expected-bad-rate' AS measure, as_of, age, pd AS total, pd_squared AS squares, scored AS n, 1000000000 AS scale FROM decided
  UNION ALL BY NAME SELECT 'expected-bad-rate' AS measure, 'approved' AS subject, as_of, age, approved_pd AS total, approved_pd_squared AS squares, approved_scored AS n, 1000000000 AS scale FROM decided
  UNION ALL BY NAME SELECT 'reason-share' AS measure, code AS subject, as_of, age, coalesce(hits, 0) AS total, coalesce(hits, 0) AS squares, n, 1 AS scale FROM decided CROSS JOIN every_reason LEFT JOIN reasoned USING (as_of, age, code)
  UNION ALL BY NAME SELECT 'income-unknown' AS measure, as_of, age, unknown AS total, unknown AS squares, n, 1 AS scale FROM earned
  UNION ALL BY NAME SELECT 'income-flag' AS measure, flag AS subject, as_of, age, coalesce(hits, 0) AS total, coalesce(hits, 0) AS squares, n, 1 AS scale FROM earned CROSS JOIN every_flag LEFT JOIN flagged USING (as_of, age, flag)
  UNION ALL BY NAME SELECT 'ring-share' AS measure, as_of, age, rings AS total, rings AS squares, n, 1 AS scale FROM tied
  UNION ALL BY NAME SELECT 'quarantine-rate' AS measure, input AS subject, as_of, age, hits AS total, hits AS squares, n, 1 AS scale FROM set_aside
  UNION ALL BY NAME SELECT 'quarantine-rate' AS measure, as_of, age, sum(hits) AS total, sum(hits) AS squares, sum(n) AS n, 1 AS scale FROM set_aside GROUP BY as_of, age
  UNION ALL BY NAME SELECT 'policy-draft' AS measure, as_of, age, drafts AS total, drafts AS squares, n, 1 AS scale FROM versions
)
SELECT
  measure, subject, as_of, age,
  CASE WHEN n > 0 THEN CAST(total AS DOUBLE) / CAST(n AS DOUBLE) / scale END                                                                     AS value,
  CASE WHEN n > 0 THEN sqrt(greatest(CAST(squares AS DOUBLE) / CAST(n AS DOUBLE) - pow(CAST(total AS DOUBLE) / CAST(n AS DOUBLE), 2), 0)) / scale END AS sd,
  CAST(n AS BIGINT)                                                                                                                              AS "rows"
FROM counted
ORDER BY measure, subject NULLS FIRST, age
