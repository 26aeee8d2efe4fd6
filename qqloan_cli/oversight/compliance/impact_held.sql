-- grain:    a row that a rule of another topic than price is about, as its check looks at it (check.py): an application, a person, a partner
-- inputs:   held (that check's rows), made, limit, loans
-- leaves:   scope, run_id, application_id (the check's subject), written_on, product, grade, term_months (null where the subject is no application), amount_fen,
--           found, allowed, is_over
WITH graded AS (
  SELECT run_id AS made_in, application_id AS subject, grade FROM "limit"
  UNION ALL
  SELECT 'book', application_id, min(grade) FROM loans GROUP BY application_id
)
SELECT
  CASE WHEN h.made_in = 'book' THEN 'contracts' ELSE 'approvals' END AS scope, h.made_in AS run_id, h.subject AS application_id, h.on_date AS written_on,
  m.product, CASE WHEN m.subject IS NOT NULL THEN coalesce(g.grade, '-') END AS grade, m.term_months, coalesce(h.amount_fen, 0) AS amount_fen,
  CAST(h.found AS DOUBLE) AS found, CAST(h.allowed AS DOUBLE) AS allowed, coalesce(h.breaks, false) AS is_over
FROM held AS h
LEFT JOIN made AS m ON m.made_in = h.made_in AND m.subject = h.subject
LEFT JOIN graded AS g ON g.made_in = h.made_in AND g.subject = h.subject
ORDER BY h.made_in, h.subject, h.on_date, h.found
