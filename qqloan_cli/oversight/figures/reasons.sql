-- grain:    a decision and a reason of it, the eight most frequent each
-- inputs:   decisions
-- leaves:   decision, code, applications, share (of the decision's), share_before (on the date before)
WITH
told AS (SELECT age, decision, unnest(reason_codes) AS code FROM decisions WHERE age <= 1 AND decision <> 'approve'),
all_of AS (SELECT age, decision, count(*) AS applications FROM decisions WHERE age <= 1 GROUP BY age, decision),
counted AS (SELECT age, decision, code, count(*) AS applications FROM told GROUP BY age, decision, code),
shares AS (SELECT counted.*, counted.applications / all_of.applications AS share FROM counted JOIN all_of USING (age, decision))
SELECT today.decision, today.code, today.applications, round(today.share, 6) AS share, round(before.share, 6) AS share_before
FROM (SELECT * FROM shares WHERE age = 0) AS today
LEFT JOIN (SELECT * FROM shares WHERE age = 1) AS before USING (decision, code)
QUALIFY row_number() OVER (PARTITION BY today.decision ORDER BY today.applications DESC, today.code) <= 8
ORDER BY today.decision, today.applications DESC, today.code
