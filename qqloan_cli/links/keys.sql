-- What an application is known by, each number in its one form: keys.py hashes it, and nothing after that holds a number.
-- grain: application. reads: applicants. leaves: known_by, in order of application.
CREATE OR REPLACE TEMP VIEW known_by AS
SELECT
  application_id,
  applicant_id,
  applied_at,
  one_id(plain_id(id_number)) AS id,      -- 15 digits and 18 of one person agree
  one_phone(phone)            AS phone,
  bank_card                   AS card,
  trim(device_id)             AS device,
  one_phone(contact_phone)    AS contact
FROM applicants
ORDER BY application_id;
