-- What an application is known by, each number in its one form: keys.py hashes it, and nothing after that holds a number.
-- grain: application. reads: applicants, bank_statements. leaves: known_by, in order of application.

-- Two lines that a chance picks out of a statement up to the application's day, the least and the largest by their hashes: of statements
-- that are mostly the same the picked lines are mostly the same (min-hash), whoever's name stands on them. What goes out to the second
-- or with a balance happens to one person alone, and so does what comes in with both; on a few lines, and on pay, which many get in
-- one second, the innocent may agree. The hashes are DuckDB's, so runs of different versions of it find nothing in one another here.
CREATE OR REPLACE TEMP TABLE asked AS
SELECT application_id, applicant_id, CAST(applied_at AS DATE) + 1 AS until FROM applicants;
CREATE OR REPLACE TEMP TABLE picked_lines AS
WITH own AS (
  SELECT applicant_id, booked_at, hash(booked_at, amount_fen, balance_fen) AS mark
  FROM bank_statements
  WHERE CAST(amount_fen < 0 AS INTEGER) + CAST(balance_fen IS NOT NULL AS INTEGER) + CAST(booked_at <> date_trunc('day', booked_at) AS INTEGER) >= 2
),
picked AS (
  SELECT a.rowid AS n, min(s.mark) AS least, max(s.mark) AS largest
  FROM own AS s JOIN asked AS a ON s.applicant_id = a.applicant_id AND s.booked_at < a.until
  GROUP BY a.rowid HAVING count(*) >= 5
)
SELECT a.application_id, p.least, p.largest FROM asked AS a JOIN picked AS p ON p.n = a.rowid;

CREATE OR REPLACE TEMP VIEW known_by AS
SELECT
  application_id,
  applicant_id,
  applied_at,
  one_id(plain_id(id_number)) AS id,      -- 15 digits and 18 of one person agree
  one_phone(phone)            AS phone,
  bank_card                   AS card,
  trim(device_id)             AS device,
  one_phone(contact_phone)    AS contact,
  CAST(p.least AS VARCHAR)    AS least_line,
  CAST(p.largest AS VARCHAR)  AS largest_line
FROM applicants LEFT JOIN picked_lines AS p USING (application_id)
ORDER BY application_id;
