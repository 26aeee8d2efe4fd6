-- grain:    what a run of the latest date had to say
-- inputs:   run_warnings
-- leaves:   ref, said, runs
SELECT ref, text AS said, count(*) AS runs FROM run_warnings WHERE age = 0 GROUP BY ref, text ORDER BY ref, said
