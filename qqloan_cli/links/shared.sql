-- Who shares a key with whom, how often a person applies, and what earlier runs decided about him.
-- "Earlier" is by applied_at, then by application_id. reads: everyone, hashes, past_decisions.
-- writes: key_uses (kind, key, n), shared_keys (n), velocity (n), past (n).

-- Keys that stand in more than one application; all others tie nobody. A kind at a time, each as 64 bits of it, for one kind of ten
-- million is what memory holds: two keys of the same bits only come along, and are told apart from here on.
CREATE OR REPLACE TEMP TABLE repeated_uses AS
SELECT 'id' AS kind, id_hash AS key, application_id FROM hashes
WHERE hash(id_hash) IN (SELECT hash(id_hash) FROM hashes WHERE id_hash IS NOT NULL GROUP BY ALL HAVING count(*) > 1);
INSERT INTO repeated_uses SELECT 'phone' AS kind, phone_hash AS key, application_id FROM hashes
WHERE hash(phone_hash) IN (SELECT hash(phone_hash) FROM hashes WHERE phone_hash IS NOT NULL GROUP BY ALL HAVING count(*) > 1);
INSERT INTO repeated_uses SELECT 'card' AS kind, card_hash AS key, application_id FROM hashes
WHERE hash(card_hash) IN (SELECT hash(card_hash) FROM hashes WHERE card_hash IS NOT NULL GROUP BY ALL HAVING count(*) > 1);
INSERT INTO repeated_uses SELECT 'device' AS kind, device_hash AS key, application_id FROM hashes
WHERE hash(device_hash) IN (SELECT hash(device_hash) FROM hashes WHERE device_hash IS NOT NULL GROUP BY ALL HAVING count(*) > 1);
INSERT INTO repeated_uses SELECT 'contact' AS kind, contact_hash AS key, application_id FROM hashes
WHERE hash(contact_hash) IN (SELECT hash(contact_hash) FROM hashes WHERE contact_hash IS NOT NULL GROUP BY ALL HAVING count(*) > 1);
INSERT INTO repeated_uses SELECT 'least_line' AS kind, least_line_hash AS key, application_id FROM hashes
WHERE hash(least_line_hash) IN (SELECT hash(least_line_hash) FROM hashes WHERE least_line_hash IS NOT NULL GROUP BY ALL HAVING count(*) > 1);
INSERT INTO repeated_uses SELECT 'largest_line' AS kind, largest_line_hash AS key, application_id FROM hashes
WHERE hash(largest_line_hash) IN (SELECT hash(largest_line_hash) FROM hashes WHERE largest_line_hash IS NOT NULL GROUP BY ALL HAVING count(*) > 1);

CREATE OR REPLACE TEMP TABLE key_uses AS
SELECT u.kind, u.key, e.n, e.in_batch, e.applicant_id, e.application_id, e.applied_at, e.day
FROM repeated_uses AS u JOIN everyone AS e USING (application_id);
DROP TABLE repeated_uses;

-- other applicants among the earlier users of each key: first uses before this one, less one's own
CREATE OR REPLACE TEMP TABLE shared_keys AS
WITH first_uses AS (
  SELECT *, row_number() OVER (PARTITION BY kind, key, applicant_id ORDER BY applied_at, application_id) = 1 AS first_of_person
  FROM key_uses
),
others AS (
  SELECT n, in_batch, kind,
    coalesce(sum(CAST(first_of_person AS INTEGER)) OVER (
      PARTITION BY kind, key ORDER BY applied_at, application_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
    - CAST(NOT first_of_person AS INTEGER) AS other_applicants
  FROM first_uses
)
SELECT
  n,
  max(other_applicants) FILTER (kind = 'id')      AS id_other_applicants,
  max(other_applicants) FILTER (kind = 'phone')   AS phone_other_applicants,
  max(other_applicants) FILTER (kind = 'card')    AS card_other_applicants,
  max(other_applicants) FILTER (kind = 'device')  AS device_other_applicants,
  max(other_applicants) FILTER (kind = 'contact') AS contact_other_applicants,
  max(other_applicants) FILTER (kind IN ('least_line', 'largest_line')) AS statement_other_applicants
FROM others
WHERE in_batch AND other_applicants > 0
GROUP BY n;

-- applications of one person, by the lender's key or by ID number: those by key, and those by ID, less those by both
CREATE OR REPLACE TEMP TABLE velocity AS
WITH known_as AS (
  SELECT 'applicant' AS way, 1 AS sign, applicant_id AS person, NULL AS id, n FROM everyone
  WHERE applicant_id IN (SELECT applicant_id FROM everyone GROUP BY applicant_id HAVING count(*) > 1)
  UNION ALL
  SELECT 'id', 1, NULL, key, n FROM key_uses WHERE kind = 'id'
  UNION ALL
  SELECT 'both', -1, applicant_id, key, n FROM key_uses WHERE kind = 'id'
),
before AS (
  SELECT
    k.n, k.sign, e.in_batch,
    row_number() OVER person - 1 AS all_time,
    coalesce(sum(CAST(e.in_batch AS INTEGER)) OVER (person ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS in_this_batch,
    count(*) OVER (same RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL '1 day 1 microsecond' PRECEDING)   AS over_1d,
    count(*) OVER (same RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL '7 days 1 microsecond' PRECEDING)  AS over_7d,
    count(*) OVER (same RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL '30 days 1 microsecond' PRECEDING) AS over_30d,
    count(*) OVER (same RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL '90 days 1 microsecond' PRECEDING) AS over_90d
  FROM known_as AS k JOIN everyone AS e USING (n)
  WINDOW person AS (PARTITION BY k.way, k.person, k.id ORDER BY e.applied_at, e.application_id),
         same   AS (PARTITION BY k.way, k.person, k.id ORDER BY e.applied_at)
)
SELECT
  n,
  sum(sign * (all_time - over_1d))  AS applications_1d,
  sum(sign * (all_time - over_7d))  AS applications_7d,
  sum(sign * (all_time - over_30d)) AS applications_30d,
  sum(sign * (all_time - over_90d)) AS applications_90d,
  sum(sign * in_this_batch) > 0     AS open_application
FROM before
WHERE in_batch
GROUP BY n;

-- what earlier runs decided about the person, as far as it was decided by the day of this application
CREATE OR REPLACE TEMP TABLE past AS
WITH of_person AS (
  SELECT e.n, d.n AS past_n FROM everyone AS e JOIN past_decisions AS d ON e.applicant_id = d.applicant_id WHERE e.in_batch
  UNION
  SELECT e.n, d.n AS past_n FROM everyone AS e JOIN hashes AS h USING (application_id) JOIN past_decisions AS d ON h.id_hash = d.id_hash WHERE e.in_batch
)
SELECT
  o.n,
  count(*) FILTER (d.decision = 'decline' AND d.applied_at >= e.applied_at - INTERVAL 90 DAYS) AS declines_90d,
  -- owed until its term is over; what was repaid since is not known here, so all of it
  sum(d.amount_fen) FILTER (d.decision = 'approve' AND CAST(d.run_day AS TIMESTAMP) + to_months(coalesce(d.term_months, 0)) >= e.applied_at) AS exposure_fen
FROM of_person AS o
JOIN everyone AS e USING (n)
JOIN past_decisions AS d ON d.n = o.past_n
WHERE d.run_day <= CAST(e.applied_at AS DATE) AND d.applied_at <= e.applied_at
GROUP BY o.n;
