-- grain:    a run of the latest date
-- inputs:   funding_programme
-- leaves:   run_id, wanted_fen, funded_fen, waiting (loans), gap (what whole loans lose of the optimum)
SELECT run_id, wanted_fen, funded_fen, queued AS waiting, round(gap, 6) AS gap FROM funding_programme WHERE age = 0 ORDER BY run_id
