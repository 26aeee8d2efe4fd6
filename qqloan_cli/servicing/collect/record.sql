-- grain:    one row per contact, hold or release of a file that is new to the book
-- inputs:   checked (contract contacts and _bad), file_names (no, name), known_contacts (of the book, with a contact_id of the file), book_loans (loan_id, applicant_id),
--           lifts (hold, role: who may lift it); variable received_on
-- leaves:   fresh (contract contact_log), repeated (said before, in the same words), cannot_be (src_file, src_row, column, rule, reason, shown)
-- The same contact may come any number of times. One that says something else than before is refused; within a file both are.

CREATE OR REPLACE TEMP TABLE told AS
SELECT
  trim(contact_id) AS contact_id, trim(applicant_id) AS applicant_id, nullif(trim(loan_id), '') AS loan_id, coalesce(nullif(trim(kind), ''), 'contact') AS kind, begun_at,
  channel, party, nullif(trim(target), '') AS target, connected, outcome, promise_date, promise_amount_fen, nullif(trim(hours_from), '') AS hours_from,
  nullif(trim(hours_until), '') AS hours_until, nullif(trim(hold), '') AS hold, until, debt_details, nullif(trim(agent), '') AS agent, nullif(trim(role), '') AS role, src_file, src_row
FROM checked WHERE NOT _bad;

CREATE OR REPLACE TEMP TABLE versions AS
WITH
every_row AS (
  SELECT *, false AS known FROM told
  UNION ALL BY NAME
  SELECT * EXCLUDE (received_on, file, row), true AS known FROM known_contacts
),
said AS (
  SELECT contact_id, known, src_file, src_row, {
      'of': applicant_id, 'loan': loan_id, 'kind': kind, 'begun': begun_at, 'channel': channel, 'party': party, 'target': target, 'connected': connected, 'outcome': outcome,
      'promised_by': promise_date, 'promised_fen': promise_amount_fen, 'hours_from': hours_from, 'hours_until': hours_until, 'hold': hold, 'until': until, 'details': debt_details,
      'agent': agent, 'role': role} AS what
  FROM every_row
)
SELECT
  contact_id, known, src_file, src_row, what,
  bool_or(known) OVER same                                                        AS was_known,
  any_value(what) FILTER (WHERE known) OVER same                                  AS known_what,
  min(what) OVER same IS DISTINCT FROM max(what) OVER same                        AS contradict,
  row_number() OVER (PARTITION BY contact_id, known ORDER BY src_file, src_row)   AS nth
FROM said
WINDOW same AS (PARTITION BY contact_id);

CREATE OR REPLACE TEMP TABLE repeated AS
SELECT src_file, src_row FROM versions
WHERE NOT known AND CASE WHEN was_known THEN what IS NOT DISTINCT FROM known_what ELSE NOT contradict AND nth > 1 END;

CREATE OR REPLACE TEMP TABLE cannot_be AS
WITH
borrowers AS (SELECT DISTINCT applicant_id FROM book_loans),
kinds AS (SELECT DISTINCT hold FROM lifts),
stands AS (SELECT * FROM told ANTI JOIN repeated USING (src_file, src_row))
SELECT src_file, src_row, 'contact_id' AS "column", 'contact-conflict' AS rule, 'another contact with this contact_id says something else' AS reason, contact_id AS shown
FROM versions
WHERE NOT known AND CASE WHEN was_known THEN what IS DISTINCT FROM known_what ELSE contradict END
UNION ALL
SELECT src_file, src_row, 'applicant_id', 'borrower-unknown', 'the book has no loan of this borrower', applicant_id FROM stands ANTI JOIN borrowers USING (applicant_id)
UNION ALL
SELECT src_file, src_row, 'loan_id', 'loan-of-another', 'the book has no such loan of this borrower', loan_id FROM stands ANTI JOIN book_loans USING (loan_id, applicant_id) WHERE loan_id IS NOT NULL
UNION ALL
SELECT src_file, src_row, 'begun_at', 'begun-after-received', 'it begins after the day on which it was received', NULL FROM stands WHERE CAST(begun_at AS DATE) > getvariable('received_on')
UNION ALL
SELECT src_file, src_row, 'hold', 'hold-unknown', 'collections.toml has no such kind of hold', hold FROM stands ANTI JOIN kinds USING (hold) WHERE kind <> 'contact'
UNION ALL
SELECT src_file, src_row, 'role', 'lifted-by-another', 'collections.toml does not let this role lift the hold', role
FROM stands SEMI JOIN kinds USING (hold) ANTI JOIN lifts USING (hold, role) WHERE kind = 'release';

CREATE OR REPLACE TEMP TABLE fresh AS
SELECT told.* EXCLUDE (src_file, src_row), getvariable('received_on') AS received_on, file_names.name AS file, told.src_row AS row
FROM told
JOIN file_names ON file_names.no = told.src_file
ANTI JOIN (SELECT DISTINCT src_file, src_row FROM cannot_be) AS refused_rows USING (src_file, src_row)
ANTI JOIN repeated USING (src_file, src_row);
