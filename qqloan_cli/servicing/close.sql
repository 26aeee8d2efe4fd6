-- grain:    entries: one row per loan, day of posting, day of value, event and account
-- inputs:   moves (lane, day, event, debit, credit, fen), lanes_taken (lane, loan_id, known_from, known_to), loan_events, accounts (code, account); variable upto
-- leaves:   entries (contract ledger)
--
-- What a lane says of days before it began is held against what the lane before it said of them: the difference is booked on the day the
-- book came to know of it. Of the days from its beginning on it is booked on the day itself. A difference below zero changes sides.

CREATE OR REPLACE TEMP TABLE sides AS
WITH moved AS (
  SELECT lane, day, event, debit AS code, fen AS debit_fen, 0 AS credit_fen FROM moves
  UNION ALL
  SELECT lane, day, event, credit, 0, fen FROM moves
)
SELECT
  lanes_taken.loan_id, lanes_taken.known_from, lanes_taken.known_to, DATE '1970-01-01' + CAST(day AS INTEGER) AS value_date,
  CASE WHEN moved.event >= 0 THEN loan_events.event_id WHEN moved.event = -1 THEN 'drawdown' WHEN moved.event = -2 THEN 'penalty'
       WHEN moved.event = -3 THEN 'advance' ELSE 'due-' || (-9 - moved.event) END AS event_id,
  accounts.account, CAST(sum(debit_fen) AS BIGINT) AS debit_fen, CAST(sum(credit_fen) AS BIGINT) AS credit_fen
FROM moved
JOIN lanes_taken USING (lane)
JOIN accounts USING (code)
LEFT JOIN loan_events ON loan_events.event = moved.event
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE entries AS
WITH
on_the_day AS (
  SELECT loan_id, account, value_date, value_date AS posted_at, debit_fen, credit_fen, event_id
  FROM sides WHERE value_date >= known_from AND value_date < known_to
),
said_anew AS (
  SELECT loan_id, known_from AS posted_at, value_date, event_id, account, debit_fen, credit_fen
  FROM sides WHERE value_date < known_from
  UNION ALL
  SELECT loan_id, known_to, value_date, event_id, account, -debit_fen, -credit_fen
  FROM sides WHERE value_date < known_to AND known_to <= getvariable('upto')
),
differences AS (
  SELECT loan_id, account, value_date, posted_at, sum(debit_fen) AS debit_fen, sum(credit_fen) AS credit_fen, event_id
  FROM said_anew GROUP BY ALL
),
booked AS (
  SELECT * FROM on_the_day
  UNION ALL
  SELECT loan_id, account, value_date, posted_at, greatest(debit_fen, 0) + greatest(-credit_fen, 0), greatest(credit_fen, 0) + greatest(-debit_fen, 0), event_id
  FROM differences
)
SELECT loan_id, account, value_date, posted_at, CAST(debit_fen AS BIGINT) AS debit_fen, CAST(credit_fen AS BIGINT) AS credit_fen, event_id
FROM booked
WHERE (debit_fen <> 0 OR credit_fen <> 0) AND posted_at <= getvariable('upto') AND value_date <= getvariable('upto');
