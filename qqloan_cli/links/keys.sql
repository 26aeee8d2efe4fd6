-- Keyed hashes of what an application is known by, so that nothing after this stage holds a number.
-- grain: application. reads: applicants, hash_pads (one row: the two pads of the run's key). writes: keys.
CREATE OR REPLACE TEMP TABLE keys AS
SELECT
  a.application_id,
  a.applicant_id,
  a.applied_at,
  keyed(p.inner_pad, p.outer_pad, 'id', one_id(plain_id(a.id_number)))    AS id_hash,      -- 15 digits and 18 of one person agree
  keyed(p.inner_pad, p.outer_pad, 'phone', one_phone(a.phone))           AS phone_hash,
  keyed(p.inner_pad, p.outer_pad, 'card', a.bank_card)                   AS card_hash,
  keyed(p.inner_pad, p.outer_pad, 'device', trim(a.device_id))           AS device_hash,
  keyed(p.inner_pad, p.outer_pad, 'phone', one_phone(a.contact_phone))   AS contact_hash  -- the phone's domain
FROM applicants AS a, hash_pads AS p;
