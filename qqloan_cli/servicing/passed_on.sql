-- grain:    one row per claim that has passed on to another
-- inputs:   events; variable upto (a day)
-- leaves:   passed_on (event_id, loan_id, kind, day, amount_fen)
-- A claim passes on at the beginning of the day on which it is booked. Reversed later, it has passed on all the same: another takes it back.

CREATE OR REPLACE TEMP VIEW passed_on AS
WITH undone AS (SELECT reverses AS event_id, min(greatest(received_on, value_date)) AS undone_on FROM events WHERE kind = 'reversal' GROUP BY reverses)
SELECT event_id, loan_id, kind, greatest(value_date, received_on) AS day, amount_fen
FROM events LEFT JOIN undone USING (event_id)
WHERE kind IN ('compensation', 'buy_back') AND day <= getvariable('upto') AND coalesce(undone_on, DATE '9999-12-31') > day;
