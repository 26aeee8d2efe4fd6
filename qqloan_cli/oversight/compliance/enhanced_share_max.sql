-- grain:    the book
-- inputs:   state, loans, enhanced (product), own (total_loans_fen), days, rules
-- leaves:   rule, made_in, subject, on_date, found (what is out of products that a guarantor stands for, of all loans), allowed, amount_fen, breaks
WITH guaranteed AS (
  SELECT CAST(coalesce(sum(state.principal_fen), 0) AS BIGINT) AS amount_fen FROM state JOIN loans USING (loan_id) SEMI JOIN enhanced USING (product) WHERE state.status IN ('current', 'overdue')
)
SELECT rules.rule, 'book' AS made_in, 'guaranteed loans' AS subject, days.at AS on_date, amount_fen / total_loans_fen AS found, rules.value / 1e6 AS allowed, amount_fen, found > allowed AS breaks
FROM guaranteed, own, days JOIN rules ON days.at BETWEEN from_date AND to_date
WHERE rules.topic = 'enhanced_share_max'
