-- grain:    one row per loan that was not drawn
-- inputs:   loans (loan_id, drawn_on), told_events (contract events); variable known_at (a day, or null: whatever came)
-- leaves:   cancelled (loan_id)
-- A cancellation counts that was known, and meant, by the day of the drawdown, and was not undone by then.

CREATE OR REPLACE TEMP TABLE cancelled AS
WITH undone AS (SELECT reverses AS event_id, min(greatest(received_on, value_date)) AS undone_on FROM told_events WHERE kind = 'reversal' GROUP BY reverses)
SELECT DISTINCT loan_id
FROM (SELECT event_id, loan_id, greatest(received_on, value_date) AS known_on FROM told_events WHERE kind = 'cancel')
JOIN loans USING (loan_id)
LEFT JOIN undone USING (event_id)
WHERE known_on <= least(drawn_on, getvariable('known_at')) AND coalesce(undone_on > least(drawn_on, getvariable('known_at')), true);
