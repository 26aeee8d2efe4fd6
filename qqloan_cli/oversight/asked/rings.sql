-- grain:    the largest ring of the latest date that an alert is about and that is new: none of its people was in such a ring on an earlier date
-- inputs:   social, links
-- contract: value (applicants in it; 0: there is none), rows (applications of the date)
WITH
in_rings AS (
  SELECT s.age, s.run_id, l.ring_id, s.applicant_id, s.ring_size
  FROM social AS s
  JOIN links AS l USING (run_id, application_id)
  WHERE s.ring_alert AND l.ring_id IS NOT NULL
),
known AS (
  SELECT DISTINCT applicant_id FROM in_rings WHERE age > 0
),
rings_now AS (
  SELECT run_id, ring_id, max(ring_size) AS size, bool_or(known.applicant_id IS NOT NULL) AS known
  FROM in_rings LEFT JOIN known USING (applicant_id)
  WHERE age = 0
  GROUP BY run_id, ring_id
)
SELECT
  CAST(coalesce((SELECT max(size) FROM rings_now WHERE NOT known), 0) AS DOUBLE) AS value,
  (SELECT count(*) FROM social WHERE age = 0)                                    AS "rows"
