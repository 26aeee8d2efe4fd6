-- grain:    one row per borrower who is late on the day
-- inputs:   late; standing and broken of the acts that might be (moments, acts: moment, act); steps (arm, stage, channels, script);
--           ranks (breach, rank); promised (applicant_id, promise, promise_date, promise_amount_fen); windows (applicant_id, person, window_from, window_until: minutes);
--           variables day, now_at, state_on, most_calls, most_tries, capacity (of calls; NULL: any)
-- leaves:   queue (contract queue)

-- What stands against each act: the first of its breaches. A dead number is dialled by nobody.
CREATE OR REPLACE TEMP MACRO clock(minute) AS printf('%02d:%02d', minute // 60, minute % 60);
CREATE OR REPLACE TEMP MACRO left_of(most, done) AS CASE WHEN most IS NOT NULL THEN CAST(greatest(most - done, 0) AS INTEGER) END;

CREATE OR REPLACE TEMP TABLE acts_weighed AS
WITH
against AS (
  SELECT act, arg_min(CASE WHEN breach = 'hold' THEN says ELSE breach END, (rank, says)) AS why_not FROM broken JOIN ranks USING (breach) WHERE observed GROUP BY act
)
SELECT
  standing.applicant_id, standing.party, standing.person, standing.target, acts.channel, connected_today, unanswered_today,
  CASE WHEN against.why_not IS NOT NULL THEN regexp_replace(against.why_not, '^hold (\S+) since.*$', 'hold-\1') WHEN number_dead AND standing.target IS NOT NULL THEN 'dead-number' END AS why_not
FROM acts JOIN standing USING (moment) LEFT JOIN against USING (act);

CREATE OR REPLACE TEMP TABLE by_channel AS
SELECT
  applicant_id, channel,
  CASE WHEN bool_or(why_not IS NULL) THEN NULL ELSE arg_min(why_not, (list_position(['debtor', 'co_obligor', 'contact'], party), coalesce(target, ''))) END AS why_not
FROM acts_weighed GROUP BY applicant_id, channel;

CREATE OR REPLACE TEMP TABLE numbers AS
WITH open_numbers AS (
  SELECT
    applicant_id, target, party, person, list(channel ORDER BY channel) AS channels,
    left_of(getvariable('most_tries'), any_value(unanswered_today)) AS tries_left, left_of(getvariable('most_calls'), any_value(connected_today)) AS calls_left
  FROM acts_weighed WHERE why_not IS NULL AND target IS NOT NULL GROUP BY applicant_id, target, party, person
)
SELECT
  applicant_id,
  list({'target': target, 'party': party, 'channels': channels, 'tries_left': tries_left, 'calls_left': calls_left, 'window_from': clock(window_from), 'window_until': clock(window_until)}
    ORDER BY list_position(['debtor', 'co_obligor', 'contact'], party), target) AS targets
FROM open_numbers JOIN windows USING (applicant_id, person) GROUP BY applicant_id;

CREATE OR REPLACE TEMP TABLE placed AS
WITH
calls AS (SELECT applicant_id, left_of(getvariable('most_calls'), max(connected_today)) AS calls_left FROM acts_weighed WHERE party = 'debtor' GROUP BY applicant_id),
reasons AS (
  SELECT
    applicant_id, max(why_not) FILTER (WHERE channel = 'call') AS why_not_call, max(why_not) FILTER (WHERE channel = 'ai_call') AS why_not_ai_call,
    max(why_not) FILTER (WHERE channel = 'sms') AS why_not_sms, max(why_not) FILTER (WHERE channel = 'app') AS why_not_app, max(why_not) FILTER (WHERE channel = 'letter') AS why_not_letter,
    max(why_not) FILTER (WHERE channel = 'visit') AS why_not_visit, list(channel) FILTER (WHERE why_not IS NULL) AS open_channels
  FROM by_channel GROUP BY applicant_id
)
SELECT
  CAST(row_number() OVER (ORDER BY expected_fen DESC, promise = 'broken' DESC NULLS LAST, owed_fen DESC, dpd DESC, late.applicant_id) AS INTEGER) AS priority,
  late.*, steps.channels, steps.script, reasons.* EXCLUDE (applicant_id, open_channels), coalesce(open_channels, []) AS open_channels, coalesce(targets, []) AS targets, calls_left,
  promise, promise_date, promise_amount_fen, window_from, window_until, list_filter(steps.channels, lambda one : list_contains(coalesce(open_channels, []), one))[1] AS first_channel
FROM late
JOIN steps USING (arm, stage)
JOIN windows ON windows.applicant_id = late.applicant_id AND person = 'debtor'
LEFT JOIN reasons ON reasons.applicant_id = late.applicant_id
LEFT JOIN numbers ON numbers.applicant_id = late.applicant_id
LEFT JOIN calls ON calls.applicant_id = late.applicant_id
LEFT JOIN promised ON promised.applicant_id = late.applicant_id;

-- Callers are few: those from whom the most is to be expected are called, the others are reached by the next channel of their strategy.
CREATE OR REPLACE TEMP TABLE queue AS
WITH counted AS (
  SELECT *, first_channel = 'call' AND coalesce(row_number() OVER (PARTITION BY coalesce(first_channel, '') ORDER BY priority) > getvariable('capacity'), false) AS over
  FROM placed
),
planned AS (
  SELECT *, CASE WHEN NOT coalesce(over, false) THEN first_channel ELSE list_filter(channels, lambda one : one <> 'call' AND list_contains(open_channels, one))[1] END AS channel
  FROM counted
)
SELECT
  priority, applicant_id, getvariable('day') AS day, getvariable('now_at') AS now_at, getvariable('state_on') AS state_on, arm, stage, dpd, owed_fen, at_risk_fen, chance, chance_from, expected_fen, loans,
  promise, promise_date, promise_amount_fen,
  clock(window_from) AS window_from, clock(window_until) AS window_until,
  calls_left, targets, channels, channel, script,
  CASE WHEN over THEN 'over-capacity' ELSE why_not_call END AS why_not_call, why_not_ai_call, why_not_sms, why_not_app, why_not_letter, why_not_visit
FROM planned;
