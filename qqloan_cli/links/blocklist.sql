-- The blocklist's entries in the form in which keys.py hashes them, so that they can be joined with keys.
-- reads: blocklist. leaves: as_given (a hash, or the lender's own key, which keys.applicant_id is too), to_hash (with the hash's domain).
CREATE OR REPLACE TEMP TABLE entries AS
SELECT
  CAST(kind AS VARCHAR)                                        AS kind,
  CAST(trim(value) AS VARCHAR)                                 AS value,
  CAST(coalesce(from_date, DATE '0001-01-01') AS DATE)         AS from_date,
  CAST(coalesce(to_date, DATE '9999-12-31') AS DATE)           AS to_date
FROM blocklist;

CREATE OR REPLACE TEMP VIEW as_given AS
SELECT kind, value, from_date, to_date FROM entries WHERE kind = 'applicant'
UNION ALL
SELECT kind, lower(value), from_date, to_date FROM entries WHERE kind <> 'applicant' AND regexp_full_match(lower(value), '[0-9a-f]{32}');

CREATE OR REPLACE TEMP TABLE to_hash AS
SELECT
  kind, from_date, to_date,
  CASE WHEN kind IN ('id', 'card', 'device') THEN kind ELSE 'phone' END AS domain,   -- phone, contact
  CASE kind
    WHEN 'id'     THEN one_id(plain_id(value))
    WHEN 'card'   THEN digits(value)
    WHEN 'device' THEN value
    ELSE               one_phone(digits(value))
  END AS value
FROM entries WHERE kind <> 'applicant';
