-- grain:    a partner with its affiliates, over the book
-- inputs:   state, funded_by, loans, sources (source, kind, partner_group), own (net_tier1_fen), days, rules
-- leaves:   rule, made_in, subject (the group), on_date, found (our part of what is out with it, of net tier-1 capital), allowed, amount_fen (our part), breaks
WITH
joint AS (
  SELECT funded_by.loan_id, partner_group, funded_by.amount_fen FROM funded_by JOIN sources USING (source) WHERE kind = 'institution'
),
ours AS (SELECT loan_id, sum(amount_fen) AS own_fen FROM funded_by JOIN sources USING (source) WHERE kind = 'own' GROUP BY loan_id),
out_with AS (
  SELECT partner_group, CAST(sum(round(state.principal_fen * own_fen / loans.principal_fen)) AS BIGINT) AS amount_fen
  FROM (SELECT DISTINCT loan_id, partner_group FROM joint) JOIN ours USING (loan_id) JOIN loans USING (loan_id) JOIN state USING (loan_id)
  WHERE state.status IN ('current', 'overdue') GROUP BY partner_group
)
SELECT rules.rule, 'book' AS made_in, partner_group AS subject, days.at AS on_date, amount_fen / net_tier1_fen AS found, rules.value / 1e6 AS allowed, amount_fen, found > allowed AS breaks
FROM out_with, own, days JOIN rules ON days.at BETWEEN from_date AND to_date
WHERE rules.topic = 'partner_concentration_max'
