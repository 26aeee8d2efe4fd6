-- grain:    one row per loan to be looked at after the last close
-- inputs:   all_loans, all_instalments (as they were lent), stood, stood_instalments (where the last close left them), recent_events (what came
--           or happens since), bucket_events (all, or where nobody's past is told anew, those that new loans may have); variables since, upto, whom: touched (a night), live (a month ends), all
-- leaves:   anew (loan_id: from the drawdown on, for their past is told anew, or not told yet), resumed (loan_id: from where they stood),
--           loans and told_events of both; instalments (of others too)
-- No other loan has a new entry, unless a month ends: then penalty is booked on all that are late, and all that live are looked at.

CREATE OR REPLACE TEMP TABLE anew AS
WITH
about AS (SELECT DISTINCT reverses AS event_id FROM recent_events WHERE kind IN ('match', 'reversal')),
named AS (
  SELECT loan_id FROM all_loans ANTI JOIN stood USING (loan_id)
  UNION
  SELECT loan_id FROM recent_events WHERE kind NOT IN ('match', 'reversal') AND received_on > greatest(value_date, getvariable('since')) OR kind = 'match'
  UNION  -- what was undone, or found its loan: the loans that it was thought to be about change as well
  SELECT loan_id FROM bucket_events WHERE event_id IN (SELECT event_id FROM about) OR kind = 'match' AND reverses IN (SELECT event_id FROM about)
  UNION
  SELECT loan_id FROM stood WHERE pauses > 0 AND getvariable('whom') = 'all'      -- whose paused days only the events know
)
SELECT loan_id FROM all_loans SEMI JOIN named USING (loan_id);

CREATE OR REPLACE TEMP TABLE resumed AS
WITH named AS (
  SELECT loan_id FROM stood WHERE CASE getvariable('whom') WHEN 'all' THEN true WHEN 'live' THEN NOT told_paid ELSE false END
  UNION
  SELECT loan_id FROM all_instalments WHERE due_date > getvariable('since') AND due_date <= getvariable('upto')
  UNION
  SELECT loan_id FROM stood_instalments WHERE due_date > getvariable('since') AND due_date <= getvariable('upto')
  UNION
  SELECT loan_id FROM recent_events
  WHERE value_date > getvariable('since') AND value_date <= getvariable('upto') OR until >= getvariable('since') AND until < getvariable('upto')
)
SELECT loan_id FROM stood SEMI JOIN named USING (loan_id) ANTI JOIN anew USING (loan_id);

CREATE OR REPLACE TEMP TABLE loans AS
SELECT * FROM all_loans WHERE loan_id IN (SELECT loan_id FROM anew UNION ALL SELECT loan_id FROM resumed);

CREATE OR REPLACE TEMP TABLE changed AS SELECT loan_id FROM stood SEMI JOIN resumed USING (loan_id) WHERE changed;

CREATE OR REPLACE TEMP VIEW instalments AS
SELECT * FROM all_instalments ANTI JOIN changed USING (loan_id)
UNION ALL BY NAME
SELECT * FROM stood_instalments SEMI JOIN changed USING (loan_id);

CREATE OR REPLACE TEMP TABLE told_events AS
SELECT * FROM recent_events SEMI JOIN resumed USING (loan_id) WHERE kind NOT IN ('match', 'reversal') AND value_date <= getvariable('upto')
UNION ALL
SELECT * FROM bucket_events WHERE loan_id IN (SELECT loan_id FROM anew) OR (bucket IS NULL OR kind IN ('match', 'reversal')) AND EXISTS (FROM anew);
