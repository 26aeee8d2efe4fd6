-- grain:    new_stood: one row per loan drawn by the day; new_stood_instalments: one per instalment of those whose instalments changed; new_months: loan and month
-- inputs:   stands, changed_instalments, seen_months (of the lanes that were played), lanes_taken, loans, resumed, stood, and where the close went on from
--           another stood_instalments; variables upto, since (the last close, or null), first (the day after it)
-- leaves:   what the next close goes on from, and what a panel is made of: as the loans are known at the end of the day

CREATE OR REPLACE TEMP TABLE played_last AS SELECT lane, loan_id, known_from FROM lanes_taken WHERE known_to = DATE '9999-12-31';

CREATE OR REPLACE TEMP TABLE new_months AS
WITH as_known AS (
  SELECT loan_id, month, status, dpd, balance_fen, oldest_due_date, known_from,
    lag(status, 1, '') OVER (PARTITION BY loan_id ORDER BY month) = 'paid' AS was_paid
  FROM seen_months
  WHERE known_to = DATE '9999-12-31'
)
SELECT * EXCLUDE (known_from, was_paid)
FROM as_known ANTI JOIN (SELECT loan_id FROM stood SEMI JOIN resumed USING (loan_id) WHERE told_paid) AS ended USING (loan_id)
WHERE month >= greatest(known_from, getvariable('first')) AND NOT (status = 'paid' AND was_paid);

CREATE OR REPLACE TEMP TABLE new_stood AS
WITH ended AS (SELECT DISTINCT loan_id FROM seen_months WHERE status = 'paid' AND known_to = DATE '9999-12-31')
SELECT
  played_last.loan_id, stands.* EXCLUDE (lane),
  CASE WHEN loans.drawn_on >= getvariable('first') THEN played_last.known_from
       WHEN before.loan_id IS NOT NULL THEN greatest(before.anew_on, played_last.known_from)
       ELSE greatest(played_last.known_from, getvariable('first')) END                         AS anew_on,
  ended.loan_id IS NOT NULL OR resumed.loan_id IS NOT NULL AND before.told_paid               AS told_paid
FROM stands
JOIN played_last USING (lane)
JOIN loans USING (loan_id)
LEFT JOIN stood AS before USING (loan_id)
LEFT JOIN resumed USING (loan_id)
LEFT JOIN ended USING (loan_id)
UNION ALL BY NAME
SELECT * FROM stood ANTI JOIN loans USING (loan_id);

CREATE OR REPLACE TEMP TABLE new_stood_instalments AS
SELECT loan_id, instalment_no, DATE '1970-01-01' + CAST(due AS INTEGER) AS due_date, principal_fen, interest_fen, fee_fen
FROM changed_instalments JOIN played_last USING (lane)
UNION ALL BY NAME
SELECT loan_id, instalment_no, due_date, principal_fen, interest_fen, fee_fen FROM stood_instalments ANTI JOIN loans USING (loan_id);
