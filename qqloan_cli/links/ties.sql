-- Which applicants a shared key or a shared device ties, and from which day until which.
-- reads: everyone, hashes, key_uses, social_edges, edge_kinds, ring_rules (one row), ring_keys.
-- writes: members (person number, applicant), ties (a, b, day, ends), member_uses (person, n, day, place: order by application_id).

CREATE OR REPLACE TEMP TABLE key_ties AS
WITH holders AS (
  SELECT kind, key, applicant_id, min(day) AS since FROM key_uses WHERE kind IN (SELECT kind FROM ring_keys) GROUP BY ALL
),
placed AS (
  SELECT *, row_number() OVER (PARTITION BY kind, key ORDER BY since, applicant_id) AS place FROM holders
),
key_days AS (  -- it ties from its second applicant, and no longer once too many share it
  SELECT
    kind, key,
    min(since) FILTER (place = 2) AS begins,
    coalesce(min(since) FILTER (place = r.most_sharing + 1), 2147483647) AS ends,
    min(since) FILTER (place = r.contact_holder_from) AS holder_from,
    min(applicant_id) FILTER (place = 1) AS first_holder
  FROM placed, ring_rules AS r
  GROUP BY kind, key
),
contact_holders AS (  -- the applicant whose own phone several others name as their contact
  SELECT k.kind, k.key, e.applicant_id, greatest(min(e.day), k.holder_from) AS since
  FROM key_days AS k JOIN hashes AS h ON h.phone_hash = k.key JOIN everyone AS e USING (application_id)
  WHERE k.kind = 'contact' AND k.holder_from IS NOT NULL
  GROUP BY k.kind, k.key, e.applicant_id, k.holder_from
)
SELECT k.first_holder AS a, t.applicant_id AS b, greatest(t.since, k.begins) AS day, k.ends
FROM key_days AS k
JOIN (SELECT kind, key, applicant_id, since FROM placed WHERE place > 1 UNION ALL SELECT * FROM contact_holders) AS t USING (kind, key)
WHERE k.begins IS NOT NULL AND t.applicant_id <> k.first_holder;

CREATE OR REPLACE TEMP TABLE device_ties AS
WITH applicants_since AS (
  SELECT applicant_id, min(day) AS since FROM everyone GROUP BY applicant_id
),
shared AS (
  SELECT least(src, dst) AS a, greatest(src, dst) AS b,
    min(coalesce(date_diff('day', DATE '1900-01-01', since), 0)) AS since
  FROM social_edges AS e JOIN edge_kinds AS k ON k.kind = coalesce(e.kind, 'friend')
  WHERE k.ring AND src <> dst
  GROUP BY ALL
),
crowds AS (  -- who shares devices with a crowd runs a shop, from that day on
  SELECT node, since AS ends
  FROM (SELECT a AS node, b AS other, since FROM shared UNION ALL SELECT b, a, since FROM shared)
  QUALIFY row_number() OVER (PARTITION BY node ORDER BY since, other) = (SELECT most_sharing FROM ring_rules) + 1
)
SELECT s.a, s.b, greatest(s.since, pa.since, pb.since) AS day, least(coalesce(ca.ends, 2147483647), coalesce(cb.ends, 2147483647)) AS ends
FROM shared AS s
JOIN applicants_since AS pa ON pa.applicant_id = s.a
JOIN applicants_since AS pb ON pb.applicant_id = s.b
LEFT JOIN crowds AS ca ON ca.node = s.a
LEFT JOIN crowds AS cb ON cb.node = s.b;

CREATE OR REPLACE TEMP TABLE members AS
SELECT applicant_id, CAST(row_number() OVER (ORDER BY applicant_id) - 1 AS INTEGER) AS person
FROM (SELECT a AS applicant_id FROM key_ties UNION SELECT b FROM key_ties UNION SELECT a FROM device_ties UNION SELECT b FROM device_ties);

CREATE OR REPLACE TEMP TABLE ties AS
SELECT pa.person AS a, pb.person AS b, CAST(t.day AS INTEGER) AS day, CAST(t.ends AS INTEGER) AS ends
FROM (SELECT * FROM key_ties UNION ALL SELECT * FROM device_ties) AS t
JOIN members AS pa ON pa.applicant_id = t.a
JOIN members AS pb ON pb.applicant_id = t.b;

CREATE OR REPLACE TEMP TABLE member_uses AS
SELECT m.person, e.n, e.day, e.in_batch, CAST(row_number() OVER (ORDER BY e.application_id) - 1 AS INTEGER) AS place
FROM members AS m JOIN everyone AS e USING (applicant_id);
