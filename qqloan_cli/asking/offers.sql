-- offers, first part: what a cut or declined applicant could ask for instead.
--
-- grain     application, product and term
-- reads     all_limit, product_book, product_terms, product_purposes (settings of limit)
-- leaves    candidates   asks: what was asked for, within what the product sells
-- An application that a person is to decide gets none: that person has not spoken yet.

CREATE OR REPLACE TEMP TABLE candidates AS
WITH cut AS (
  SELECT *, decision = 'approve' AS approved
  FROM all_limit
  WHERE decision = 'decline' OR (decision = 'approve' AND (amount_fen < requested_amount_fen OR term_months <> requested_term_months))
)
SELECT
  c.application_id || '#' || lpad(CAST(row_number() OVER (PARTITION BY c.application_id ORDER BY p.place, t.term_months) AS VARCHAR), 3, '0') AS candidate_id,
  c.application_id,
  p.product,
  p.product = c.product                                                          AS same_product,
  t.term_months,
  p.amount_min_fen, p.amount_step_fen,
  c.requested_amount_fen, c.requested_term_months,
  c.amount_fen AS approved_fen, c.term_months AS approved_term_months,
  least(greatest(c.requested_amount_fen, p.amount_min_fen), p.amount_max_fen) // p.amount_step_fen * p.amount_step_fen AS asks_fen
FROM cut c
JOIN product_book p ON p.product = c.product OR (NOT c.approved AND EXISTS (FROM product_purposes u WHERE u.product = p.product AND u.purpose = c.purpose))
JOIN product_terms t ON t.product = p.product
ORDER BY candidate_id;
