-- grain:    an application of the runs that has an outcome
-- inputs:   decisions, told (application_id or applicant_id, bad, observed_at)
-- contract: pd, grade, bad, observed_at. By application_id where it is told; by applicant_id else. Of several it is the latest decided before it was
--           observed. What was observed on or before the decision is about something else.
WITH
by_application AS (
  SELECT d.application_id, d.pd, d.grade, t.bad, t.observed_at
  FROM told AS t JOIN decisions AS d ON d.application_id = t.application_id
  WHERE t.observed_at IS NULL OR t.observed_at > d.as_of
  QUALIFY row_number() OVER (PARTITION BY t.no ORDER BY d.as_of DESC, d.run_id DESC) = 1
),
by_person AS (
  SELECT d.application_id, d.pd, d.grade, t.bad, t.observed_at
  FROM told AS t JOIN decisions AS d ON d.applicant_id = t.applicant_id
  WHERE t.application_id IS NULL AND (t.observed_at IS NULL OR t.observed_at > d.as_of)
  QUALIFY row_number() OVER (PARTITION BY t.no ORDER BY d.as_of DESC, d.run_id DESC, d.application_id DESC) = 1
)
SELECT pd, grade, bad, observed_at
FROM (SELECT * FROM by_application UNION ALL SELECT * FROM by_person)
WHERE pd IS NOT NULL
ORDER BY observed_at NULLS FIRST, application_id
