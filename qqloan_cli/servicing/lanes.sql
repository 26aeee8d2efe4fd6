-- grain:    lanes: one row per loan and time at which the book came to know something of its past; lane_events: what happens in a lane
-- inputs:   loans, cancelled (loan_id), told_events (contract events: of the bucket, and those without one); variables upto (a day), known_at (a day)
-- leaves:   loans (less the cancelled), loan_events, lanes (loan_id, known_from, known_to)
--
-- An event counts from its value date. The book knows it from the day it was received, and does not know it any more from the day on
-- which it was reversed. Where that is later than the value date, the past reads differently from then on: a lane begins.

-- A loan whose cancellation was known before it was drawn, and stood, is none.
CREATE OR REPLACE TEMP TABLE loans AS SELECT * FROM loans ANTI JOIN cancelled USING (loan_id);

-- Whether an event counts in a lane: known by then, or in time for its own day; and neither undone by then nor before it counted.
CREATE OR REPLACE TEMP MACRO counts_in(lane_from, value_date, known_from, known_to) AS
  known_from <= greatest(lane_from, value_date) AND known_to > lane_from AND known_to > greatest(value_date, known_from);

-- Which loan an event is about: its own, the one that a match names for it, or that of the event that it reverses.
CREATE OR REPLACE TEMP TABLE loan_events AS
WITH matched AS (
  SELECT reverses AS event_id, min_by(loan_id, (received_on, event_id)) AS loan_id, min(received_on) AS matched_on
  FROM told_events WHERE kind = 'match' GROUP BY reverses
),
placed AS (
  SELECT
    told_events.* EXCLUDE (loan_id, received_on),
    coalesce(matched.loan_id, told_events.loan_id) AS loan_id,
    CASE WHEN matched.loan_id IS NOT NULL AND matched.loan_id IS DISTINCT FROM told_events.loan_id THEN greatest(told_events.received_on, matched.matched_on)
         ELSE told_events.received_on END AS received_on
  FROM told_events LEFT JOIN matched ON matched.event_id = told_events.event_id AND told_events.bucket IS NULL     -- only money without a loan finds one
  WHERE kind NOT IN ('match', 'reversal', 'cancel', 'compensation', 'buy_back')
),
undone AS (
  SELECT reverses AS event_id, min(greatest(received_on, value_date)) AS known_to
  FROM told_events WHERE kind = 'reversal' GROUP BY reverses
)
SELECT
  placed.* EXCLUDE (received_on, bucket),
  greatest(placed.received_on, loans.opened_on)           AS known_from,
  coalesce(undone.known_to, DATE '9999-12-31')            AS known_to,
  row_number() OVER (ORDER BY placed.event_id) - 1        AS event
FROM placed
JOIN loans ON loans.loan_id = placed.loan_id
LEFT JOIN undone USING (event_id);

CREATE OR REPLACE TEMP TABLE lanes AS
WITH times AS (
  SELECT loan_id, DATE '0001-01-01' AS known_from FROM loans
  UNION
  SELECT loan_id, known_from FROM loan_events WHERE known_from > value_date AND known_from < known_to
  UNION
  SELECT loan_id, known_to FROM loan_events WHERE known_to > greatest(value_date, known_from) AND known_to < DATE '9999-12-31'
)
SELECT loan_id, known_from, lead(known_from, 1, DATE '9999-12-31') OVER (PARTITION BY loan_id ORDER BY known_from) AS known_to
FROM times
WHERE known_from <= getvariable('known_at');
