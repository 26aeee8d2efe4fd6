-- The blocklist by keyed hash, so that it can be joined with keys. grain: entry and form (raw value hashed, or hash as given).
-- reads: blocklist, hash_pads. writes: blocked (kind, hash, from_date, to_date).
CREATE OR REPLACE TEMP TABLE blocked AS
WITH entries AS (
  SELECT kind, trim(value) AS value, coalesce(from_date, DATE '0001-01-01') AS from_date, coalesce(to_date, DATE '9999-12-31') AS to_date
  FROM blocklist
),
raw_values AS (
  SELECT
    e.kind,
    CASE e.kind
      WHEN 'applicant' THEN e.value                     -- the lender's own key, which keys.applicant_id is too
      WHEN 'id'        THEN keyed(p.inner_pad, p.outer_pad, 'id', one_id(plain_id(e.value)))
      WHEN 'card'      THEN keyed(p.inner_pad, p.outer_pad, 'card', digits(e.value))
      WHEN 'device'    THEN keyed(p.inner_pad, p.outer_pad, 'device', e.value)
      ELSE                  keyed(p.inner_pad, p.outer_pad, 'phone', one_phone(digits(e.value)))  -- phone, contact
    END AS hash,
    e.from_date,
    e.to_date
  FROM entries AS e, hash_pads AS p
),
given_hashes AS (
  SELECT kind, left(lower(value), 32) AS hash, from_date, to_date
  FROM entries
  WHERE kind <> 'applicant' AND regexp_full_match(lower(value), '[0-9a-f]{32}|[0-9a-f]{64}')
)
SELECT DISTINCT
  CAST(kind AS VARCHAR)   AS kind,
  CAST(hash AS VARCHAR)   AS hash,
  CAST(from_date AS DATE) AS from_date,
  CAST(to_date AS DATE)   AS to_date
FROM (SELECT * FROM raw_values UNION ALL SELECT * FROM given_hashes)
WHERE hash IS NOT NULL;
