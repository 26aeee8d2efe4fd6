-- grain:    moments: one row per contact that was made, and per number (or none) by which a late borrower might be contacted next; acts: channel by channel
-- inputs:   late, history (contact_log: contacts before now, of late borrowers), numbers_had (target, party: of everybody); variables day, now_at, first_minute, last_minute
-- leaves:   slots, windows (by applicant_id and person: minutes of the day), moments, acts

CREATE OR REPLACE TEMP TABLE slots AS
WITH had AS (
  SELECT applicant_id, target, party FROM late CROSS JOIN numbers_had
  UNION
  SELECT applicant_id, target, party FROM history WHERE target IS NOT NULL
  UNION ALL
  SELECT applicant_id, NULL, 'debtor' FROM late
)
SELECT *, CASE WHEN party = 'debtor' THEN 'debtor' ELSE target END AS person FROM had;

-- Hours that a person agreed to stand in place of the rule's; on the day itself nothing is before now.
CREATE OR REPLACE TEMP TABLE windows AS
WITH
agreed AS (
  SELECT
    applicant_id, CASE WHEN party = 'debtor' THEN 'debtor' ELSE target END AS person,
    arg_max(60 * CAST(hours_from[1:2] AS INTEGER) + CAST(hours_from[4:5] AS INTEGER), (begun_at, contact_id)) AS agreed_from,
    arg_max(60 * CAST(hours_until[1:2] AS INTEGER) + CAST(hours_until[4:5] AS INTEGER), (begun_at, contact_id)) AS agreed_until
  FROM history WHERE outcome = 'agreed_hours' GROUP BY ALL
)
SELECT
  applicant_id, person, greatest(coalesce(agreed_from, getvariable('first_minute')), 60 * hour(getvariable('now_at')) + minute(getvariable('now_at'))) AS window_from,
  coalesce(agreed_until, getvariable('last_minute')) AS window_until
FROM (SELECT DISTINCT applicant_id, person FROM slots) AS persons LEFT JOIN agreed USING (applicant_id, person);

CREATE OR REPLACE TEMP TABLE moments AS
WITH might_be AS (
  SELECT applicant_id, target, party, CAST(getvariable('day') AS TIMESTAMP) + to_minutes(window_from) AS acted_at
  FROM slots JOIN windows USING (applicant_id, person)
)
SELECT
  row_number() OVER () AS moment, true AS happened, contact_id, applicant_id, party, target, channel, begun_at AS acted_at, connected, outcome,
  60 * CAST(hours_from[1:2] AS INTEGER) + CAST(hours_from[4:5] AS INTEGER) AS hours_from, 60 * CAST(hours_until[1:2] AS INTEGER) + CAST(hours_until[4:5] AS INTEGER) AS hours_until
FROM history
UNION ALL
SELECT -row_number() OVER (), false, NULL, applicant_id, party, target, NULL, acted_at, false, NULL, NULL, NULL FROM might_be;

-- A machine speaks to the debtor alone, and so does a short message: who else reads it is not known.
CREATE OR REPLACE TEMP TABLE acts AS
SELECT
  row_number() OVER () AS act, moment, by_channel.channel, true AS may_connect, true AS may_fail, false AS debt_details, CAST(NULL AS BIGINT) AS agents, all_paused AS paused
FROM moments
JOIN late USING (applicant_id)
CROSS JOIN (SELECT unnest(['call', 'ai_call', 'sms', 'app', 'letter', 'visit']) AS channel) AS by_channel
WHERE NOT happened AND (moments.target IS NOT NULL) = (by_channel.channel IN ('call', 'ai_call', 'sms')) AND (by_channel.channel = 'call' OR moments.party <> 'contact');
