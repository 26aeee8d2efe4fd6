-- grain:    a run in sight
-- inputs:   runs
-- leaves:   as_of, run_id, rows_in, accepted, refused, policy, draft, seconds
SELECT as_of, run_id, rows_in, accepted, refused, policy, draft, seconds FROM runs ORDER BY as_of DESC, run_id
