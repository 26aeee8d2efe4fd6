-- grain:    one row per moment: a contact that was made, or one that might be
-- inputs:   moments (moment, happened, contact_id, applicant_id, party, target, channel, acted_at, connected, outcome, hours_from, hours_until: minutes of the day);
--           variables own_slots (numbers that every borrower has)
-- leaves:   standing: what had happened before each moment, whatever happens at it
--
-- Connected calls are counted by person and day, unanswered tries by number and day: two counts. Contacts of one minute are in order of contact_id.

CREATE OR REPLACE TEMP TABLE marked AS
SELECT
  *, CAST(acted_at AS DATE) AS day,
  CASE WHEN party = 'debtor' THEN 'debtor' ELSE coalesce(target, party) END                                                      AS person,
  happened AND channel IN ('call', 'ai_call') AND connected                                                                     AS effective,
  happened AND channel IN ('call', 'ai_call') AND NOT connected                                                                 AS unanswered,
  happened AND party = 'debtor' AND connected AND channel IN ('call', 'ai_call', 'visit')                                       AS reached,
  CASE WHEN NOT happened OR target IS NULL THEN NULL WHEN outcome = 'dead_number' THEN 1 WHEN connected AND channel IN ('call', 'ai_call') THEN 0 END   AS dead_mark
FROM moments;

CREATE OR REPLACE TEMP TABLE numbered AS
SELECT
  *,
  coalesce(last_value(dead_mark IGNORE NULLS) OVER of_number, 0)                                                                 AS was_dead,
  happened AND starts_with(target, 'own_') AND CAST(right(target, 1) AS INTEGER) > getvariable('own_slots') AND count(*) FILTER (WHERE happened) OVER of_number = 0   AS is_new_number,
  sum(CAST(unanswered AND party = 'debtor' AS INTEGER)) OVER upto_now                                                            AS failed
FROM marked
WINDOW
  of_number AS (PARTITION BY applicant_id, target ORDER BY acted_at, contact_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
  upto_now AS (PARTITION BY applicant_id ORDER BY acted_at, contact_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);

CREATE OR REPLACE TEMP TABLE standing AS
SELECT
  moment, applicant_id, party, target, person, acted_at, day, was_dead = 1 AS number_dead,
  60 * hour(acted_at) + minute(acted_at)                                                                                         AS minute_of_day,
  count(*) FILTER (WHERE effective) OVER of_person_today                                                                         AS connected_today,
  count(*) FILTER (WHERE unanswered) OVER of_number_today                                                                        AS unanswered_today,
  failed - CAST(unanswered AND party = 'debtor' AS INTEGER) - coalesce(max(failed) FILTER (WHERE reached) OVER before, 0)        AS straight_failures,
  coalesce(sum(dead_mark - was_dead) FILTER (WHERE dead_mark IS NOT NULL AND starts_with(target, 'own_')) OVER before, 0)
    >= getvariable('own_slots') + count(*) FILTER (WHERE is_new_number) OVER before                                              AS numbers_dead,
  coalesce(bool_or(outcome IN ('deceased', 'incapable')) FILTER (WHERE happened) OVER before, false)                             AS gone,
  coalesce(bool_or(outcome IN ('refused', 'no_more_contact')) FILTER (WHERE happened AND party = 'contact') OVER of_person, false)   AS refused_before,
  last_value(CASE WHEN happened THEN hours_from END IGNORE NULLS) OVER of_person                                                 AS agreed_from,
  last_value(CASE WHEN happened THEN hours_until END IGNORE NULLS) OVER of_person                                                AS agreed_until
FROM numbered
WINDOW
  before AS (PARTITION BY applicant_id ORDER BY acted_at, contact_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
  of_person AS (PARTITION BY applicant_id, person ORDER BY acted_at, contact_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
  of_person_today AS (PARTITION BY applicant_id, person, day ORDER BY acted_at, contact_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
  of_number_today AS (PARTITION BY applicant_id, target, day ORDER BY acted_at, contact_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);
