-- grain:    one row per loan and part that the two do not say alike
-- inputs:   checked (contract funder_statements and _bad), ours and by_value (loan_id, part, fen: by day of posting, and by value date), ledger, events,
--           book_loans (loan_id); variables first, last
-- leaves:   breaks: both sides, the difference, its age on the last day, and why where the book knows it
-- A part that the file has nowhere is not asked about.

CREATE OR REPLACE TEMP TABLE breaks AS
WITH
said AS (
  SELECT trim(loan_id) AS loan_id, part.name AS part, part.fen AS fen
  FROM (
    SELECT loan_id, unnest([
      {'name': 'principal', 'fen': principal_fen}, {'name': 'interest', 'fen': interest_fen}, {'name': 'penalty', 'fen': penalty_fen},
      {'name': 'fees', 'fen': fees_fen}, {'name': 'recovered', 'fen': recovered_fen}, {'name': 'outstanding', 'fen': outstanding_fen}]) AS part
    FROM checked WHERE NOT _bad
  )
  WHERE part.fen IS NOT NULL
),
theirs AS (SELECT loan_id, part, CAST(sum(fen) AS BIGINT) AS fen, count(*) AS times FROM said GROUP BY loan_id, part),
side_by_side AS (
  SELECT
    coalesce(o.loan_id, t.loan_id) AS loan_id, coalesce(o.part, t.part) AS part, coalesce(o.fen, 0) AS our_fen, coalesce(t.fen, 0) AS their_fen,
    t.loan_id IS NOT NULL AS is_said, coalesce(t.times, 1) AS times
  FROM ours AS o FULL JOIN theirs AS t ON t.loan_id = o.loan_id AND t.part = o.part
  WHERE coalesce(o.part, t.part) IN (SELECT part FROM said)
),
moved AS (SELECT loan_id, max(posted_at) AS last_on FROM ledger WHERE posted_at <= getvariable('last') GROUP BY loan_id),
passed AS (SELECT DISTINCT loan_id FROM events WHERE kind IN ('compensation', 'buy_back') AND greatest(value_date, received_on) <= getvariable('last'))
SELECT
  loan_id, part, our_fen, their_fen, our_fen - their_fen AS difference_fen, getvariable('last') - last_on AS age_days,
  CASE
    WHEN loan_id NOT IN (SELECT loan_id FROM book_loans) THEN 'the book has no such loan'
    WHEN NOT is_said AND loan_id NOT IN (SELECT loan_id FROM said) THEN 'the file has not the loan'
    WHEN times > 1 AND their_fen = times * our_fen THEN 'the file has it ' || times || ' times'
    WHEN coalesce(by_value.fen, 0) = their_fen THEN 'the file counts by value date, the book by the day of booking'
    WHEN abs(our_fen - their_fen) = 1 THEN 'a fen of rounding'
    WHEN passed.loan_id IS NOT NULL THEN 'the claim has passed on'
  END AS why
FROM side_by_side
LEFT JOIN by_value USING (loan_id, part)
LEFT JOIN moved USING (loan_id)
LEFT JOIN passed USING (loan_id)
WHERE our_fen <> their_fen;
