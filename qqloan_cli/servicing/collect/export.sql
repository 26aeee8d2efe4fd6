-- grain:    listed: one row per borrower and number (or one without, where the channel wants none); withheld: one row per borrower who is not listed
-- inputs:   queue; phones (applicant_id, target, phone), empty where none were asked for; variables channel, by_number, with_phones, third_script
-- leaves:   listed, withheld (applicant_id, reason)

CREATE OR REPLACE TEMP TABLE planned AS
SELECT
  *,
  CASE getvariable('channel')
    WHEN 'call' THEN why_not_call WHEN 'ai_call' THEN why_not_ai_call WHEN 'sms' THEN why_not_sms WHEN 'app' THEN why_not_app WHEN 'letter' THEN why_not_letter ELSE why_not_visit
  END AS why_not,
  list_filter(targets, lambda one : list_contains(one.channels, getvariable('channel'))) AS numbers
FROM queue;

CREATE OR REPLACE TEMP TABLE listed AS
WITH
chosen AS (SELECT * FROM planned WHERE channel = getvariable('channel')),
by_number AS (
  SELECT * EXCLUDE (numbers, targets), unnest(numbers) AS one FROM chosen WHERE getvariable('by_number')
  UNION ALL
  SELECT * EXCLUDE (numbers, targets),
    {'target': NULL, 'party': 'debtor', 'channels': NULL, 'tries_left': NULL, 'calls_left': NULL, 'window_from': window_from, 'window_until': window_until}
  FROM chosen WHERE NOT getvariable('by_number')
),
reached AS (
  SELECT by_number.*, phones.phone
  FROM by_number LEFT JOIN phones ON phones.applicant_id = by_number.applicant_id AND phones.target = one.target
  WHERE NOT (getvariable('with_phones') AND getvariable('by_number')) OR phones.phone IS NOT NULL
)
SELECT
  priority, CAST(row_number() OVER (PARTITION BY priority ORDER BY list_position(['debtor', 'co_obligor', 'contact'], one.party), one.target) AS INTEGER) AS dial_order,
  applicant_id, array_to_string(list_transform(loans, lambda l : l.loan_id), ';') AS loan_ids, stage, arm,
  one.target AS target, one.party AS party, phone, one.window_from AS window_from, one.window_until AS window_until,
  CASE WHEN getvariable('channel') IN ('call', 'ai_call') THEN one.tries_left END AS tries_left, CASE WHEN getvariable('channel') IN ('call', 'ai_call') THEN one.calls_left END AS calls_left,
  CASE WHEN one.party <> 'contact' THEN owed_fen END                                                        AS owed_fen,
  CASE WHEN one.party = 'contact' THEN getvariable('third_script') ELSE script END                          AS script
FROM reached;

-- A contact person is told nothing of a debt: neither what is owed, nor which loans there are.
UPDATE listed SET loan_ids = NULL, stage = NULL WHERE party = 'contact';

CREATE OR REPLACE TEMP TABLE withheld AS
SELECT
  applicant_id,
  CASE
    WHEN channel = getvariable('channel') THEN 'no-phone' WHEN why_not IS NOT NULL THEN why_not
    WHEN NOT list_contains(channels, getvariable('channel')) THEN 'not-in-strategy' ELSE 'planned-by-' || channel
  END AS reason
FROM planned ANTI JOIN listed USING (applicant_id);
