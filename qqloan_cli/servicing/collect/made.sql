-- grain:    told: one row per contact of the period; moments: those, and what was before them with the same borrowers
-- inputs:   log (contact_log), book_events (contract events); variables first, last, until (the day after)
-- leaves:   said, moments, acts, told

CREATE OR REPLACE TEMP TABLE said AS
SELECT row_number() OVER (ORDER BY contact_id) AS moment, *
FROM log
WHERE begun_at < getvariable('until')
  AND applicant_id IN (SELECT applicant_id FROM log WHERE kind = 'contact' AND CAST(begun_at AS DATE) BETWEEN getvariable('first') AND getvariable('last'));

CREATE OR REPLACE TEMP TABLE moments AS
SELECT
  moment, true AS happened, contact_id, applicant_id, party, target, channel, begun_at AS acted_at, connected, outcome,
  60 * CAST(hours_from[1:2] AS INTEGER) + CAST(hours_from[4:5] AS INTEGER) AS hours_from, 60 * CAST(hours_until[1:2] AS INTEGER) + CAST(hours_until[4:5] AS INTEGER) AS hours_until
FROM said WHERE kind = 'contact';

CREATE OR REPLACE TEMP TABLE acts AS
WITH pauses AS (
  SELECT DISTINCT loan_id, value_date, until
  FROM book_events ANTI JOIN (SELECT reverses AS event_id FROM book_events WHERE kind = 'reversal') AS undone USING (event_id)
  WHERE kind = 'pause'
)
SELECT
  moment AS act, moment, channel, connected AS may_connect, NOT connected AS may_fail, debt_details, len(string_split(said.agent, ';')) AS agents,
  EXISTS (SELECT 1 FROM pauses WHERE pauses.loan_id = said.loan_id AND CAST(said.begun_at AS DATE) BETWEEN pauses.value_date AND pauses.until) AS paused
FROM said
WHERE said.kind = 'contact' AND CAST(begun_at AS DATE) BETWEEN getvariable('first') AND getvariable('last');

CREATE OR REPLACE TEMP TABLE told AS SELECT act, contact_id FROM acts JOIN said USING (moment);
