-- grain:    one row per promise
-- inputs:   promises (promise_no, applicant_id, loan_id: NULL for any of theirs, begun_at, promise_date, promise_amount_fen), book_loans (loan_id, applicant_id), money (loan_id, value_date, fen);
--           variables promise_grace, as_of
-- leaves:   kept (promise_no, came_fen, promise: open, kept, broken)
-- Kept: what came in from the day of the promise to its date, with grace, is what was promised; any money, where no amount was named.

CREATE OR REPLACE TEMP TABLE kept AS
WITH came AS (
  SELECT promise_no, sum(fen) AS came_fen
  FROM promises
  JOIN book_loans ON book_loans.applicant_id = promises.applicant_id AND (promises.loan_id IS NULL OR promises.loan_id = book_loans.loan_id)
  JOIN money ON money.loan_id = book_loans.loan_id AND value_date BETWEEN CAST(begun_at AS DATE) AND least(promise_date + CAST(getvariable('promise_grace') AS INTEGER), getvariable('as_of'))
  GROUP BY promise_no
)
SELECT
  promise_no, CAST(coalesce(came_fen, 0) AS BIGINT) AS came_fen,
  CASE
    WHEN coalesce(came_fen, 0) >= coalesce(promise_amount_fen, 1) THEN 'kept'
    WHEN promise_date + CAST(getvariable('promise_grace') AS INTEGER) >= getvariable('as_of') THEN 'open'
    ELSE 'broken'
  END AS promise
FROM promises LEFT JOIN came USING (promise_no);
