-- What needs everybody, application by application: shared keys, velocity, history, rings, graph.
-- grain: application of this batch. reads: everyone, shared_keys, velocity, past, ring_of (n), graph_of (n). writes: links (with bucket).
CREATE OR REPLACE TEMP VIEW links AS
SELECT
  e.bucket,
  e.application_id,
  -- shared keys
  coalesce(s.id_other_applicants, 0)        AS id_other_applicants,
  coalesce(s.phone_other_applicants, 0)     AS phone_other_applicants,
  coalesce(s.card_other_applicants, 0)      AS card_other_applicants,
  coalesce(s.device_other_applicants, 0)    AS device_other_applicants,
  coalesce(s.contact_other_applicants, 0)   AS contact_other_applicants,
  coalesce(s.statement_other_applicants, 0) AS statement_other_applicants,
  -- velocity
  coalesce(v.applications_1d, 0)            AS applications_1d,
  coalesce(v.applications_7d, 0)            AS applications_7d,
  coalesce(v.applications_30d, 0)           AS applications_30d,
  coalesce(v.applications_90d, 0)           AS applications_90d,
  coalesce(v.open_application, false)       AS open_application,
  -- history
  coalesce(p.declines_90d, 0)               AS declines_90d,
  coalesce(p.exposure_fen, 0)               AS exposure_fen,
  -- ring; its name is a hash of its smallest application
  r.ring_id,
  r.ring_size,
  r.ring_ties,
  r.ring_shape,
  -- graph; nobody without a tie by the day is in it
  CASE WHEN g.degree > 0 THEN g.degree END          AS degree,
  CASE WHEN g.degree > 0 THEN g.in_degree END       AS in_degree,
  CASE WHEN g.degree > 0 THEN g.out_degree END      AS out_degree,
  CASE WHEN g.degree > 0 THEN g.reciprocal END      AS reciprocal,
  CASE WHEN g.degree > 0 THEN g.month_degree END    AS month_degree,
  CASE WHEN g.degree > 0 THEN g.triangles END       AS triangles,
  CASE WHEN g.degree > 0 THEN g.core END            AS core,
  CASE WHEN g.degree > 0 THEN g.pagerank_ppb END    AS pagerank_ppb,
  CASE WHEN g.degree > 0 THEN g.component_size END  AS component_size,
  CASE WHEN g.degree > 0 THEN g.neighbours_known END AS neighbours_known,
  CASE WHEN g.degree > 0 THEN g.neighbours_bad END  AS neighbours_bad,
  CASE WHEN g.degree > 0 THEN g.money_cycle END     AS money_cycle
FROM everyone AS e
LEFT JOIN shared_keys AS s ON s.n = e.n
LEFT JOIN velocity AS v ON v.n = e.n
LEFT JOIN past AS p ON p.n = e.n
LEFT JOIN ring_of AS r ON r.n = e.n
LEFT JOIN graph_of AS g ON g.n = e.n
WHERE e.in_batch;
