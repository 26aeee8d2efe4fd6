-- grain:    one row per event that the two do not say alike
-- inputs:   theirs (event_id, loan_id, kind, value_date, amount_fen), ours (events of the book), book_loans (loan_id); variables first, last
-- leaves:   breaks: what, both sides, the difference, its age on the last day, and why where the book knows it

CREATE OR REPLACE TEMP TABLE breaks AS
WITH
-- A payment that was reversed is no money; a reversal is no row of its own here.
undone AS (SELECT reverses AS event_id, min(event_id) AS reversal, min(greatest(value_date, received_on)) AS undone_on FROM ours WHERE kind = 'reversal' GROUP BY reverses),
our_money AS (
  SELECT ours.event_id, loan_id, value_date, amount_fen, undone.reversal, undone.undone_on, 
    loan_id IN (SELECT loan_id FROM book_loans) OR event_id IN (SELECT reverses FROM ours SEMI JOIN book_loans USING (loan_id) WHERE kind = 'match') AS placed
  FROM ours LEFT JOIN undone USING (event_id)
  WHERE kind IN ('repayment', 'prepayment') AND value_date BETWEEN getvariable('first') AND getvariable('last')
),
their_undone AS (SELECT DISTINCT reverses AS event_id FROM theirs WHERE kind = 'reversal'),
their_money AS (
  SELECT theirs.event_id, any_value(loan_id) AS loan_id, min(value_date) AS value_date, CAST(sum(amount_fen) AS BIGINT) AS amount_fen, count(*) AS times
  FROM theirs WHERE kind IN ('repayment', 'prepayment') AND value_date BETWEEN getvariable('first') AND getvariable('last')
  GROUP BY theirs.event_id
),
side_by_side AS (
  SELECT
    coalesce(o.event_id, t.event_id) AS event_id, coalesce(o.loan_id, t.loan_id) AS loan_id, o.value_date AS our_date, t.value_date AS their_date,
    CASE WHEN o.reversal IS NULL THEN o.amount_fen WHEN o.event_id IS NOT NULL THEN 0 END AS our_fen,
    CASE WHEN t.event_id IN (FROM their_undone) THEN 0 ELSE t.amount_fen END AS their_fen,
    o.event_id IS NOT NULL AS is_ours, t.event_id IS NOT NULL AS is_theirs, o.reversal, o.undone_on, coalesce(o.placed, true) AS placed, coalesce(t.times, 1) AS times
  FROM our_money o FULL JOIN their_money t ON t.event_id = o.event_id
)
SELECT
  CASE
    WHEN NOT is_theirs THEN 'only in the book'
    WHEN NOT is_ours THEN 'only in the file'
    WHEN our_fen <> their_fen THEN 'amounts differ'
    WHEN our_date <> their_date THEN 'dates differ'
    ELSE 'unmatched'
  END                                                                                                       AS what,
  event_id, loan_id, our_date, their_date, coalesce(our_fen, 0) AS our_fen, coalesce(their_fen, 0) AS their_fen,
  coalesce(our_fen, 0) - coalesce(their_fen, 0)                                                             AS difference_fen,
  getvariable('last') - coalesce(our_date, their_date)                                                      AS age_days,
  CASE
    WHEN NOT is_ours THEN 'not posted to the book'
    WHEN is_theirs AND times > 1 AND their_fen = times * our_fen THEN 'the file has it ' || times || ' times'
    WHEN reversal IS NOT NULL AND our_fen <> coalesce(their_fen, 0) THEN 'the book has a reversal of ' || undone_on
    WHEN NOT placed THEN 'the book has no such loan'
    WHEN NOT is_theirs AND our_fen = 0 THEN 'reversed, and never in the file'
  END                                                                                                       AS why
FROM side_by_side
WHERE NOT is_ours OR NOT is_theirs AND our_fen <> 0 OR our_fen <> their_fen OR our_date <> their_date OR NOT placed AND our_fen <> 0;
