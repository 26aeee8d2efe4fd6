-- grain:    the book
-- inputs:   state, funded_by, loans, sources, own (total_loans_fen), days, rules
-- leaves:   rule, made_in, subject, on_date, found (our part of joint loans, of all our loans), allowed, amount_fen, breaks
WITH
parts AS (
  SELECT loan_id, sum(amount_fen) FILTER (WHERE kind = 'own') AS own_fen, sum(amount_fen) FILTER (WHERE kind = 'institution') AS partners_fen FROM funded_by JOIN sources USING (source) GROUP BY loan_id
),
joint AS (
  SELECT CAST(coalesce(sum(round(state.principal_fen * own_fen / loans.principal_fen)), 0) AS BIGINT) AS amount_fen
  FROM parts JOIN loans USING (loan_id) JOIN state USING (loan_id) WHERE own_fen > 0 AND partners_fen > 0 AND state.status IN ('current', 'overdue')
)
SELECT rules.rule, 'book' AS made_in, 'joint loans' AS subject, days.at AS on_date, amount_fen / total_loans_fen AS found, rules.value / 1e6 AS allowed, amount_fen, found > allowed AS breaks
FROM joint, own, days JOIN rules ON days.at BETWEEN from_date AND to_date
WHERE rules.topic = 'joint_total_max'
