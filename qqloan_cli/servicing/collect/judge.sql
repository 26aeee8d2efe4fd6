-- grain:    one row per act and rule that it breaks, or would break
-- inputs:   standing; acts (act, moment, channel, may_connect, may_fail, debt_details, agents, paused); contact_rules (rule, topic, value, from_date, to_date, force,
--           certainty, observed, verified_through, document); holds, hold_stops (hold, channel, party), by_the_clock (channel); variable unreachable_after
-- leaves:   broken (act, breach, rule, force, certainty, observed, verified_through, document, says)

CREATE OR REPLACE TEMP TABLE judged AS
SELECT
  acts.*, standing.* EXCLUDE (moment), channel IN ('call', 'ai_call') AS voice, channel IN (SELECT channel FROM by_the_clock) AS timed,
  minute_of_day >= agreed_from AND minute_of_day < agreed_until AS as_agreed
FROM acts JOIN standing USING (moment);

CREATE OR REPLACE TEMP TABLE broken AS
WITH
against_rules AS (
  SELECT
    act, rule, force, certainty, observed, verified_through, document,
    CASE topic
      WHEN 'contact_from' THEN 'outside-hours' WHEN 'contact_until' THEN 'outside-hours' WHEN 'calls_connected_max' THEN 'calls-used-up' WHEN 'tries_unanswered_max' THEN 'tries-used-up'
      WHEN 'third_party_ground' THEN 'third-party' WHEN 'third_party_failures' THEN 'third-party' WHEN 'third_party_stop' THEN 'third-party-refused'
      WHEN 'third_party_silence' THEN 'debt-told' WHEN 'visit_agents_min' THEN 'visit-alone'
    END AS breach,
    CASE topic
      WHEN 'contact_from' THEN strftime(acted_at, '%H:%M') || ' is before ' || value || ':00'
      WHEN 'contact_until' THEN strftime(acted_at, '%H:%M') || ' is not before ' || value || ':00'
      WHEN 'calls_connected_max' THEN 'connected call ' || (connected_today + 1) || ' of the day, ' || value || ' may be'
      WHEN 'tries_unanswered_max' THEN 'unanswered try ' || (unanswered_today + 1) || ' of the number and day, ' || value || ' may be'
      WHEN 'third_party_ground' THEN 'the debtor had ' || straight_failures || ' straight failures, ' || getvariable('unreachable_after') || ' are wanted, and is neither dead nor incapable'
      WHEN 'third_party_failures' THEN 'the debtor had ' || straight_failures || ' straight failures, ' || value || ' are wanted, and no dead number'
      WHEN 'third_party_stop' THEN 'they had refused before'
      WHEN 'third_party_silence' THEN 'the debt was told to a contact'
      WHEN 'visit_agents_min' THEN agents || ' went, ' || value || ' are wanted'
    END AS says
  FROM judged JOIN contact_rules ON judged.day BETWEEN from_date AND to_date
  WHERE CASE topic
    WHEN 'contact_from' THEN timed AND minute_of_day < 60 * value AND NOT coalesce(as_agreed, false)
    WHEN 'contact_until' THEN timed AND minute_of_day >= 60 * value AND NOT coalesce(as_agreed, false)
    WHEN 'calls_connected_max' THEN voice AND may_connect AND connected_today >= value
    WHEN 'tries_unanswered_max' THEN voice AND may_fail AND unanswered_today >= value
    WHEN 'third_party_ground' THEN party = 'contact' AND NOT (gone OR numbers_dead OR straight_failures >= getvariable('unreachable_after'))
    WHEN 'third_party_failures' THEN party = 'contact' AND NOT (gone OR numbers_dead OR straight_failures >= value)
    WHEN 'third_party_stop' THEN party = 'contact' AND refused_before
    WHEN 'third_party_silence' THEN party = 'contact' AND coalesce(debt_details, false)
    WHEN 'visit_agents_min' THEN channel = 'visit' AND agents < value
    ELSE false
  END
),
against_hours AS (
  SELECT act, 'agreed-hours' AS breach, strftime(acted_at, '%H:%M') || ' is not within the hours that were agreed' AS says
  FROM judged ANTI JOIN (SELECT act FROM against_rules WHERE breach = 'outside-hours') AS outside USING (act)
  WHERE timed AND NOT as_agreed
),
against_holds AS (
  SELECT DISTINCT act, 'hold' AS breach, 'hold ' || holds.hold || ' since ' || strftime(opened_at, '%Y-%m-%d %H:%M') AS says
  FROM judged
  JOIN holds ON holds.applicant_id = judged.applicant_id AND acted_at > opened_at AND acted_at < ends_at
  JOIN hold_stops ON hold_stops.hold = holds.hold AND hold_stops.channel = judged.channel AND hold_stops.party = judged.party
)
SELECT act, breach, rule, force, certainty, observed, verified_through, document, says FROM against_rules
UNION ALL
SELECT act, breach, 'own.' || breach, 'policy', 'H', true, NULL, 'collections.toml', says
FROM (FROM against_hours UNION ALL FROM against_holds UNION ALL SELECT act, 'paused', 'payments of the loan are paused' FROM judged WHERE paused);
