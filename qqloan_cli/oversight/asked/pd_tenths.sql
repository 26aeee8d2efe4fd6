-- grain:    a tenth of the reference by pd
-- inputs:   score, pd_cuts (tenth, from_pd: 0 of the first)
-- contract: tenth, now (applications of the latest date in it), earlier (of the earlier dates)
WITH placed AS (
  SELECT cuts.tenth, s.age FROM score AS s ASOF JOIN pd_cuts AS cuts ON s.pd >= cuts.from_pd WHERE s.pd IS NOT NULL
)
SELECT tenth, count(*) FILTER (WHERE age = 0) AS now, count(*) FILTER (WHERE age > 0) AS earlier
FROM placed RIGHT JOIN pd_cuts USING (tenth)
GROUP BY tenth
ORDER BY tenth
