-- grain:    a headline measure of the latest date's runs, beside the date's before
-- inputs:   runs, decisions, limit
-- leaves:   measure, today, before, change (of shares in percentage points, else relative)
WITH
came_in AS (SELECT age, sum(rows_in) AS rows_in, sum(refused) AS refused FROM runs WHERE age <= 1 GROUP BY age),
decided AS (
  SELECT
    age, count(*) AS applications, count(*) FILTER (WHERE decision = 'approve') AS approved, count(*) FILTER (WHERE decision = 'refer') AS referred,
    CAST(sum(amount_fen) AS BIGINT) AS approved_fen, CAST(sum(funded_fen) AS BIGINT) AS funded_fen,
    avg(pd) AS mean_pd, avg(pd) FILTER (WHERE decision = 'approve') AS approved_pd, avg(score) AS mean_score, avg(all_in_annual_cost) AS all_in
  FROM decisions WHERE age <= 1 GROUP BY age
),
told AS (
  SELECT age, unnest([
    {'no': 1, 'measure': 'applications', 'value': CAST(applications AS DOUBLE), 'share': false},
    {'no': 2, 'measure': 'quarantine_rate', 'value': refused / nullif(rows_in, 0), 'share': true},
    {'no': 3, 'measure': 'approval_rate', 'value': approved / applications, 'share': true},
    {'no': 4, 'measure': 'referral_rate', 'value': referred / applications, 'share': true},
    {'no': 5, 'measure': 'approved_fen', 'value': CAST(coalesce(approved_fen, 0) AS DOUBLE), 'share': false},
    {'no': 6, 'measure': 'funded_fen', 'value': CAST(coalesce(funded_fen, 0) AS DOUBLE), 'share': false},
    {'no': 7, 'measure': 'mean_amount_fen', 'value': CAST(round(approved_fen / nullif(approved, 0)) AS DOUBLE), 'share': false},
    {'no': 8, 'measure': 'mean_score', 'value': round(mean_score, 1), 'share': false},
    {'no': 9, 'measure': 'expected_bad_rate', 'value': mean_pd, 'share': true},
    {'no': 10, 'measure': 'expected_bad_rate_of_approved', 'value': approved_pd, 'share': true},
    {'no': 11, 'measure': 'mean_all_in_annual_cost', 'value': all_in, 'share': true}
  ], recursive := true)
  FROM decided LEFT JOIN came_in USING (age)
)
SELECT
  measure, round(any_value(value) FILTER (WHERE age = 0), 6) AS today, round(any_value(value) FILTER (WHERE age = 1), 6) AS before,
  round(CASE WHEN any_value(share) THEN today - before ELSE today / nullif(before, 0) - 1 END, 6) AS change, any_value(share) AS is_share
FROM told GROUP BY no, measure ORDER BY no
