-- grain:    a step on the way of the latest date's applications, in order
-- inputs:   runs, verify, decisions, disburse_plan
-- leaves:   step, applications, share (of all that came in)
WITH
came AS (SELECT CAST(sum(rows_in) AS BIGINT) AS came_in, CAST(sum(accepted) AS BIGINT) AS accepted FROM runs WHERE age = 0),
verified AS (SELECT count(*) AS verified FROM verify WHERE age = 0 AND verdict <> 'fail'),
decided AS (
  SELECT
    count(*) FILTER (WHERE decision <> 'decline') AS not_declined, count(*) FILTER (WHERE decision = 'approve') AS approved,
    count(*) FILTER (WHERE funded_fen > 0) AS funded
  FROM decisions WHERE age = 0
),
planned AS (SELECT count(DISTINCT application_id) AS planned FROM disburse_plan WHERE age = 0),
steps AS (
  SELECT unnest([
    {'no': 1, 'step': 'came_in', 'applications': came_in}, {'no': 2, 'step': 'accepted', 'applications': accepted}, {'no': 3, 'step': 'verified', 'applications': verified},
    {'no': 4, 'step': 'not_declined', 'applications': not_declined}, {'no': 5, 'step': 'approved', 'applications': approved}, {'no': 6, 'step': 'funded', 'applications': funded},
    {'no': 7, 'step': 'planned', 'applications': planned}
  ], recursive := true)
  FROM came, verified, decided, planned
)
SELECT step, applications, round(applications / nullif(first(applications) OVER (ORDER BY no), 0), 6) AS share FROM steps ORDER BY no
