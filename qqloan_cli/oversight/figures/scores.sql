-- grain:    a band of twenty points and a date: the latest, and the one before
-- inputs:   decisions
-- leaves:   points (where the band begins), date_of, applications, share (of the date's)
SELECT
  CAST(20 * (score // 20) AS INTEGER) AS points, CASE WHEN age = 0 THEN 'today' ELSE 'before' END AS date_of, count(*) AS applications,
  round(count(*) / sum(count(*)) OVER (PARTITION BY date_of), 6) AS share
FROM decisions WHERE age <= 1 AND score IS NOT NULL GROUP BY points, date_of ORDER BY points, date_of DESC
