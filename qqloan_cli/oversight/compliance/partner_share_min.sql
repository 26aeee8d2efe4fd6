-- grain:    a loan that is shared with a partner
-- inputs:   made, funding_shares, funded_by, loans, sources (source, kind), rules
-- leaves:   rule, made_in, subject, on_date, found (the partners' part), allowed (at least), amount_fen, breaks
WITH
shares AS (
  SELECT run_id AS made_in, application_id AS subject, source, amount_fen FROM funding_shares
  UNION ALL
  SELECT 'book', loans.application_id, source, funded_by.amount_fen FROM funded_by JOIN loans USING (loan_id)
),
shared AS (
  SELECT made_in, subject, CAST(sum(amount_fen) AS BIGINT) AS whole_fen, CAST(coalesce(sum(amount_fen) FILTER (WHERE kind = 'institution'), 0) AS BIGINT) AS partners_fen
  FROM shares LEFT JOIN sources USING (source) GROUP BY made_in, subject
  HAVING partners_fen > 0 AND partners_fen < whole_fen
)
SELECT rules.rule, made_in, subject, on_date, partners_fen / whole_fen AS found, rules.value / 1e6 AS allowed, amount_fen, CAST(partners_fen AS HUGEINT) * 1000000 < CAST(whole_fen AS HUGEINT) * rules.value AS breaks
FROM shared JOIN made USING (made_in, subject) JOIN rules ON on_date BETWEEN from_date AND to_date
WHERE rules.topic = 'partner_share_min'
