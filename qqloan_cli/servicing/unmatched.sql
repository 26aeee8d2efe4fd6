-- grain:    one row per event, account and posting: money that has no loan
-- inputs:   told_events (contract events, of the whole book), loans (loan_id, opened_on), cancelled (loan_id); variable upto
-- leaves:   entries (contract ledger), waiting (contract exceptions)
-- It stands on the account `unmatched` from the day it came to the day on which its loan was named, its loan came, or it was reversed.

CREATE OR REPLACE TEMP VIEW book_loans AS SELECT loan_id, opened_on FROM loans ANTI JOIN cancelled USING (loan_id);

CREATE OR REPLACE TEMP TABLE stays AS
WITH matched AS (
  SELECT reverses AS event_id, min_by(loan_id, (received_on, event_id)) AS loan_id, min(received_on) AS matched_on
  FROM told_events WHERE kind = 'match' GROUP BY reverses
),
undone AS (
  SELECT reverses AS event_id, min(greatest(received_on, value_date)) AS undone_on FROM told_events WHERE kind = 'reversal' GROUP BY reverses
)
SELECT
  told_events.event_id, told_events.loan_id, value_date, amount_fen, greatest(value_date, received_on) AS came_on,
  least(
    coalesce(undone.undone_on, DATE '9999-12-31'),
    CASE WHEN named.loan_id IS NOT NULL THEN greatest(matched.matched_on, named.opened_on) ELSE DATE '9999-12-31' END,
    CASE WHEN own.loan_id IS NOT NULL AND matched.loan_id IS NULL THEN own.opened_on ELSE DATE '9999-12-31' END
  ) AS left_on
FROM told_events
LEFT JOIN matched USING (event_id)
LEFT JOIN undone USING (event_id)
LEFT JOIN book_loans AS named ON named.loan_id = matched.loan_id
LEFT JOIN book_loans AS own ON own.loan_id = told_events.loan_id
WHERE kind IN ('repayment', 'prepayment') AND (bucket IS NULL OR told_events.loan_id IN (SELECT loan_id FROM cancelled));

CREATE OR REPLACE TEMP TABLE entries AS
WITH booked AS (
  SELECT value_date, came_on AS posted_at, amount_fen AS in_fen, 0 AS out_fen, event_id FROM stays WHERE came_on < left_on
  UNION ALL
  SELECT value_date, left_on, 0, amount_fen, event_id FROM stays WHERE came_on < left_on AND left_on < DATE '9999-12-31'
)
SELECT CAST(NULL AS VARCHAR) AS loan_id, account, value_date, posted_at, debit_fen, credit_fen, event_id
FROM (
  SELECT 'cash' AS account, value_date, posted_at, in_fen AS debit_fen, out_fen AS credit_fen, event_id FROM booked
  UNION ALL
  SELECT 'unmatched', value_date, posted_at, out_fen, in_fen, event_id FROM booked
)
WHERE posted_at <= getvariable('upto');

CREATE OR REPLACE TEMP TABLE waiting AS
SELECT loan_id, event_id, value_date, 'the book has no such loan' AS reason
FROM stays WHERE came_on <= getvariable('upto') AND left_on > getvariable('upto')
UNION ALL
SELECT e.loan_id, e.event_id, e.value_date, CASE e.kind WHEN 'match' THEN 'a match of an event that the book does not have' ELSE 'a reversal of an event that the book does not have' END
FROM told_events AS e
WHERE kind IN ('reversal', 'match') AND e.value_date <= getvariable('upto') AND NOT EXISTS (FROM told_events AS t WHERE t.event_id = e.reverses AND t.kind NOT IN ('reversal', 'match'))
UNION ALL
SELECT e.loan_id, e.event_id, e.value_date, 'a match of an event that has a loan: reverse it, and post it anew'
FROM told_events AS e
WHERE kind = 'match' AND e.value_date <= getvariable('upto') AND EXISTS (FROM told_events AS t WHERE t.event_id = e.reverses AND t.bucket IS NOT NULL AND t.kind NOT IN ('reversal', 'match'))
UNION ALL
SELECT e.loan_id, e.event_id, e.value_date, 'the book has no such loan'
FROM told_events AS e
WHERE (bucket IS NULL OR kind <> 'cancel' AND loan_id IN (SELECT loan_id FROM cancelled)) AND kind NOT IN ('repayment', 'prepayment', 'reversal', 'match') AND e.value_date <= getvariable('upto')
  AND NOT EXISTS (FROM book_loans AS l WHERE l.loan_id = e.loan_id);
