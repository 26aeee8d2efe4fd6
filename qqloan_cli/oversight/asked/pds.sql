-- grain:    an application of the latest date that has a pd
-- inputs:   decisions, score
-- contract: pd, approved (null where nothing was decided yet)
SELECT s.pd, d.decision = 'approve' AS approved
FROM score AS s LEFT JOIN decisions AS d ON d.run_id = s.run_id AND d.application_id = s.application_id
WHERE s.age = 0 AND s.pd IS NOT NULL
ORDER BY s.pd, approved NULLS FIRST
