-- grain:    the book
-- inputs:   state, funded_by, loans, sources, own (net_assets_fen), days, rules
-- leaves:   rule, made_in, subject, on_date, found (what others funded and is out, of net assets), allowed (times), amount_fen, breaks
WITH others AS (
  SELECT CAST(coalesce(sum(round(state.principal_fen * funded_by.amount_fen / loans.principal_fen)), 0) AS BIGINT) AS amount_fen
  FROM funded_by JOIN sources USING (source) JOIN loans USING (loan_id) JOIN state USING (loan_id) WHERE kind = 'institution' AND state.status IN ('current', 'overdue')
)
SELECT rules.rule, 'book' AS made_in, 'funded by others' AS subject, days.at AS on_date, amount_fen / net_assets_fen AS found, CAST(rules.value AS DOUBLE) AS allowed, amount_fen, found > allowed AS breaks
FROM others, own, days JOIN rules ON days.at BETWEEN from_date AND to_date
WHERE rules.topic = 'leverage_max'
