-- grain:    one row per event of a file that is new to the book
-- inputs:   checked (contract repayments and _bad), file_names (no, name), known_events (events of the book with an event_id of the file), book_loans (loan_id, drawn_on, bucket)
-- leaves:   fresh (contract events), conflicts (event_id, src_file, src_row), repeated (event_id: said before, in the same words),
--           too_late (event_id, src_file, src_row)
-- The same event may come any number of times. One that says something else than before is refused; within a file both are.

CREATE OR REPLACE TEMP TABLE told AS
SELECT
  trim(event_id) AS event_id, nullif(trim(loan_id), '') AS loan_id, coalesce(nullif(trim(kind), ''), 'repayment') AS kind, value_date, amount_fen,
  nullif(trim(reverses), '') AS reverses, component, until, CAST(round(annual_rate * 1000000) AS BIGINT) AS rate_ppm, term_months, src_file, src_row
FROM checked WHERE NOT _bad;

CREATE OR REPLACE TEMP TABLE versions AS
WITH said AS (
  SELECT event_id, {'loan': loan_id, 'kind': kind, 'day': value_date, 'fen': amount_fen, 'reverses': reverses, 'of': component, 'until': until, 'ppm': rate_ppm, 'term': term_months} AS what, false AS known, src_file, src_row
  FROM told
  UNION ALL
  SELECT event_id, {'loan': loan_id, 'kind': kind, 'day': value_date, 'fen': amount_fen, 'reverses': reverses, 'of': component, 'until': until, 'ppm': rate_ppm, 'term': term_months}, true, NULL, NULL
  FROM known_events
)
SELECT
  event_id, known, src_file, src_row, what,
  bool_or(known) OVER same                                                        AS was_known,
  any_value(what) FILTER (WHERE known) OVER same                                  AS known_what,
  min(what) OVER same IS DISTINCT FROM max(what) OVER same                        AS contradict,
  row_number() OVER (PARTITION BY event_id, known ORDER BY src_file, src_row)     AS nth
FROM said
WINDOW same AS (PARTITION BY event_id);

CREATE OR REPLACE TEMP TABLE conflicts AS
SELECT event_id, src_file, src_row FROM versions
WHERE NOT known AND CASE WHEN was_known THEN what IS DISTINCT FROM known_what ELSE contradict END;

CREATE OR REPLACE TEMP TABLE repeated AS
SELECT event_id, src_file, src_row FROM versions
WHERE NOT known AND CASE WHEN was_known THEN what IS NOT DISTINCT FROM known_what ELSE NOT contradict AND nth > 1 END;

-- A cancellation that comes after the money left cancels nothing.
CREATE OR REPLACE TEMP TABLE too_late AS
SELECT told.event_id, told.src_file, told.src_row
FROM told JOIN book_loans USING (loan_id) ANTI JOIN conflicts USING (src_file, src_row) ANTI JOIN repeated USING (src_file, src_row)
WHERE kind = 'cancel' AND greatest(value_date, getvariable('received_on')) > drawn_on;

CREATE OR REPLACE TEMP TABLE fresh AS
SELECT
  book_loans.bucket, told.*, getvariable('received_on') AS received_on, file_names.name AS file, told.src_row AS row
FROM told
JOIN file_names ON file_names.no = told.src_file
ANTI JOIN conflicts USING (src_file, src_row)
ANTI JOIN repeated USING (src_file, src_row)
ANTI JOIN too_late USING (src_file, src_row)
LEFT JOIN book_loans ON book_loans.loan_id = told.loan_id;
