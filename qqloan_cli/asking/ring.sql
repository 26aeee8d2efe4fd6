-- grain:    an application that had come by the end of this one's day, and a key by which others may know it
-- inputs:   keys, social_edges, ring_kinds (kind: of edges that say that two share something), ring_keys (kind: that tie); variable application_id
-- leaves:   uses: application_id, applicant_id, applied_at, kind (id, phone, contact, card, device), key (with its domain: a contact's phone is a phone;
--           an edge between two people is a device of their own)
CREATE OR REPLACE TEMP TABLE uses AS
WITH
this AS (SELECT CAST(applied_at AS DATE) AS on_day FROM keys WHERE application_id = getvariable('application_id')),
earlier AS (SELECT keys.* FROM keys, this WHERE CAST(keys.applied_at AS DATE) <= this.on_day),
known_by AS (
  SELECT application_id, applicant_id, applied_at, unnest([
    {'kind': 'id', 'key': 'id:' || id_hash}, {'kind': 'phone', 'key': 'phone:' || phone_hash}, {'kind': 'contact', 'key': 'phone:' || contact_hash},
    {'kind': 'card', 'key': 'card:' || card_hash}, {'kind': 'device', 'key': 'device:' || device_hash}
  ], recursive := true)
  FROM earlier
),
edges AS (
  SELECT DISTINCT src, dst, 'edge:' || least(src, dst) || '~' || greatest(src, dst) AS key
  FROM social_edges, this WHERE kind IN (FROM ring_kinds) AND src <> dst AND coalesce(CAST(since AS DATE), DATE '1900-01-01') <= this.on_day
),
by_edge AS (
  SELECT application_id, applicant_id, applied_at, 'device' AS kind, key
  FROM earlier JOIN (SELECT src AS applicant_id, key FROM edges UNION SELECT dst, key FROM edges) AS ends USING (applicant_id)
)
SELECT * FROM known_by WHERE key IS NOT NULL AND kind IN (FROM ring_keys)
UNION ALL
SELECT * FROM by_edge;
