-- grain:    a step of the limit's waterfall, over the latest date's approved applications
-- inputs:   decisions, limit_steps
-- leaves:   step, left_fen (what all of them might still have after it), taken_fen (by it), binding (applications that it bound), share_of_requested
WITH
approved AS (SELECT run_id, application_id FROM decisions WHERE age = 0 AND decision = 'approve'),
steps AS (
  SELECT step_no, step, CAST(sum(running_fen) AS BIGINT) AS left_fen, count(*) FILTER (WHERE binding) AS binding
  FROM limit_steps SEMI JOIN approved USING (run_id, application_id) WHERE age = 0 GROUP BY step_no, step
)
SELECT
  step, left_fen, lag(left_fen, 1, left_fen) OVER (ORDER BY step_no) - left_fen AS taken_fen, binding,
  round(left_fen / nullif(first(left_fen) OVER (ORDER BY step_no), 0), 6) AS share_of_requested
FROM steps ORDER BY step_no
