-- grain:    one row: how far the events of a post reach
-- inputs:   fresh (contract events), all_events (event_id, value_date) of the posts before
-- leaves:   reach (aside: rows that may be about a loan of any bucket; last_day: the last on which one of them happens, text)
-- A close that goes on from the last reads no post that reaches no further. What is about an event that is not here yet reaches for ever.

CREATE OR REPLACE TEMP TABLE reach AS
WITH about AS (
  SELECT reverses AS event_id, max(known.value_date) AS value_date
  FROM fresh LEFT JOIN (SELECT event_id, value_date FROM all_events UNION ALL SELECT event_id, value_date FROM fresh) AS known ON known.event_id = fresh.reverses
  WHERE kind IN ('reversal', 'match')
  GROUP BY fresh.reverses
),
days AS (
  SELECT greatest(value_date, until + 1) AS day FROM fresh
  UNION ALL
  SELECT coalesce(value_date, DATE '9999-12-31') FROM about
)
SELECT
  (SELECT count(*) FROM fresh WHERE bucket IS NULL OR kind IN ('reversal', 'match')) AS aside,
  coalesce((SELECT CAST(max(day) AS VARCHAR) FROM days), '') AS last_day;
