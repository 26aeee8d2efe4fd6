-- grain:    a borrower of the book
-- inputs:   state, own (net_assets_fen), days, rules
-- leaves:   rule, made_in, subject (the person), on_date, found (outstanding, of net assets), allowed, amount_fen, breaks
WITH owing AS (SELECT applicant_id, CAST(sum(principal_fen) AS BIGINT) AS amount_fen FROM state WHERE status IN ('current', 'overdue') GROUP BY applicant_id)
SELECT rules.rule, 'book' AS made_in, applicant_id AS subject, days.at AS on_date, amount_fen / net_assets_fen AS found, rules.value / 1e6 AS allowed, amount_fen, found > allowed AS breaks
FROM owing, own, days JOIN rules ON days.at BETWEEN from_date AND to_date
WHERE rules.topic = 'borrower_share_max'
