-- grain:    one row per loan of the bucket to which something happens after the last close
-- inputs:   loans, all_instalments, told_events; variables since (the last day that was closed), upto
-- leaves:   touched (loan_id)
-- No other loan has a new entry, unless a month ends between the two: then penalty is booked on all that are late, and all are looked at.

CREATE OR REPLACE TEMP TABLE touched AS
WITH days AS (SELECT getvariable('since') + 1 AS first, getvariable('upto') AS last)
SELECT loan_id FROM loans, days WHERE drawn_on BETWEEN first AND last OR opened_on BETWEEN first AND last
UNION
SELECT loan_id FROM all_instalments, days WHERE due_date BETWEEN first AND last
UNION
SELECT loan_id FROM told_events, days
WHERE value_date BETWEEN first AND last OR received_on BETWEEN first AND last OR until + 1 BETWEEN first AND last
   OR kind IN ('restructure', 're_age')                                      -- whose due dates are not those of the instalments
UNION
SELECT told_events.loan_id
FROM told_events JOIN told_events AS about ON about.reverses = told_events.event_id, days
WHERE about.value_date BETWEEN first AND last OR about.received_on BETWEEN first AND last;
