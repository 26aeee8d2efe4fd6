-- grain:    the latest date
-- inputs:   decisions
-- contract: policies, models: how many versions decided then that did not decide on the date before; rows. None where there is no date before.
WITH now_and_before AS (
  SELECT DISTINCT age, policy_version, model_version FROM decisions WHERE age <= 1
)
SELECT
  (SELECT count(DISTINCT policy_version) FROM now_and_before WHERE age = 0 AND policy_version NOT IN (SELECT policy_version FROM now_and_before WHERE age = 1)) AS policies,
  (SELECT count(DISTINCT model_version) FROM now_and_before WHERE age = 0 AND model_version NOT IN (SELECT model_version FROM now_and_before WHERE age = 1)) AS models,
  (SELECT count(*) FROM decisions WHERE age = 0) AS "rows"
WHERE EXISTS (FROM now_and_before WHERE age = 1)
