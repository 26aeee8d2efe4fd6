-- Who the applicant is: identity, age, phone, card, employer, consent, duplicates, velocity, lists.
-- grain: application. reads: applicants, keys, links, blocked (the blocklist by hash); settings: rules (one row), codes, product_ages,
--   regions, phone_prefixes; macros of links/numbers.sql. writes: verify.
-- A check that cannot be done (nothing to look at) is not listed; one that a source's applicants cannot meet says so.

CREATE OR REPLACE TEMP TABLE parsed AS
WITH numbers AS (
  SELECT
    a.application_id,
    CAST(a.applied_at AS DATE) AS applied_on,
    regexp_full_match(a.id_number, '[0-9]{17}[0-9X]') AS plain,   -- most need no more
    CASE WHEN plain THEN a.id_number ELSE nullif(plain_id(a.id_number), '') END AS id,
    nullif(one_phone(trim(a.phone)), '') AS phone,
    nullif(trim(a.bank_card), '') AS card,
    a.birth_date AS stated_birth,
    a.gender AS stated_gender
  FROM applicants AS a
),
bodies AS (  -- the 17 digits before a check digit, as one number
  SELECT *,
    CASE WHEN plain OR regexp_full_match(id, '[0-9]{17}[0-9X]') THEN CAST(left(id, 17) AS UBIGINT) END AS body
  FROM numbers
),
kinds AS (
  SELECT *,
    CASE
      WHEN body IS NOT NULL THEN
        CASE WHEN body // 100000000000 IN (810000, 820000, 830000) THEN 'hkmotw_permit' WHEN body >= 90000000000000000 THEN 'foreign_permit' ELSE 'resident' END
      WHEN regexp_full_match(id, '[0-9]{15}') THEN 'resident_15'
      WHEN regexp_full_match(id, '[A-Z]{3}[0-9]{12}') THEN 'foreign_permit_old'
    END AS id_kind
  FROM bodies
),
birth_figures AS (  -- year, month, day as the number has them
  SELECT *,
    CASE
      WHEN body IS NOT NULL THEN CAST(body // 1000 % 100000000 AS INTEGER)
      WHEN id_kind = 'resident_15' THEN 19000000 + CAST(substr(id, 7, 6) AS INTEGER)
      -- two digits of the year: this century's where that is no day to come
      WHEN id_kind = 'foreign_permit_old' THEN CAST(substr(id, 8, 6) AS INTEGER)
        + CASE WHEN 2000 + CAST(substr(id, 8, 2) AS INTEGER) < year(applied_on) THEN 20000000 ELSE 19000000 END
    END AS ymd
  FROM kinds
),
birth_dates AS (
  SELECT *,
    CASE
      WHEN ymd % 10000 // 100 BETWEEN 1 AND 12 AND ymd // 10000 > 0
        AND ymd % 100 BETWEEN 1 AND CASE
          WHEN ymd % 10000 // 100 IN (4, 6, 9, 11) THEN 30
          WHEN ymd % 10000 // 100 <> 2 THEN 31
          WHEN ymd // 10000 % 4 = 0 AND (ymd // 10000 % 100 <> 0 OR ymd // 10000 % 400 = 0) THEN 29
          ELSE 28 END
      THEN make_date(ymd // 10000, ymd % 10000 // 100, ymd % 100)
    END AS id_birth
  FROM birth_figures
)
SELECT
  *,
  CASE id_kind
    WHEN 'foreign_permit' THEN concat(substr(id, 2, 2), '0000')      -- province
    WHEN 'foreign_permit_old' THEN concat(substr(id, 4, 4), '00')    -- province and city
    ELSE CASE WHEN id_kind IS NOT NULL THEN left(id, 6) END
  END AS region_code,
  CASE id_kind
    WHEN 'resident_15' THEN CASE WHEN CAST(right(id, 1) AS INTEGER) % 2 = 1 THEN 'male' ELSE 'female' END
    WHEN 'foreign_permit_old' THEN NULL
    ELSE CASE WHEN body IS NOT NULL THEN CASE WHEN body % 2 = 1 THEN 'male' ELSE 'female' END END
  END AS id_gender,
  CASE WHEN body IS NOT NULL THEN mod_11_2(body) = right(id, 1) END AS digit_agrees
FROM birth_dates;

-- employers' codes, each looked at once: GB 32100, alphabet without I O S V Z, weights 3^i, modulus 31; the third to eighth characters
-- are those of a region, so digits
CREATE OR REPLACE TEMP TABLE employers AS
WITH codes_given AS (
  SELECT DISTINCT employer_uscc AS given FROM applicants WHERE employer_uscc <> ''
),
codes AS (
  SELECT given, well_formed_uscc(given) AS sound, CASE WHEN sound THEN given ELSE nullif(upper(replace(given, ' ', '')), '') END AS uscc
  FROM codes_given
),
parts AS (
  SELECT *, CASE WHEN sound THEN true ELSE well_formed_uscc(uscc) END AS formed, CASE WHEN formed THEN CAST(substr(uscc, 3, 6) AS UBIGINT) END AS region
  FROM codes
),
sums AS (
  SELECT given, uscc, formed,
    of_31(uscc, 1) + of_31(uscc, 2) * 3
      + CAST(digit(region, 5) * 9 + digit(region, 4) * 27 + digit(region, 3) * 19 + digit(region, 2) * 26 + digit(region, 1) * 16
        + digit(region, 0) * 17 AS BIGINT)
      + of_31(uscc, 9) * 20 + of_31(uscc, 10) * 29 + of_31(uscc, 11) * 25 + of_31(uscc, 12) * 13
      + of_31(uscc, 13) * 8 + of_31(uscc, 14) * 24 + of_31(uscc, 15) * 10 + of_31(uscc, 16) * 30 + of_31(uscc, 17) * 28 AS total
  FROM parts
)
SELECT given, uscc, formed AND substr('0123456789ABCDEFGHJKLMNPQRTUWXY', CAST((31 - total % 31) % 31 + 1 AS BIGINT), 1) = right(uscc, 1) AS valid
FROM sums;

-- what was consented to, and what a source's applicants cannot meet: a few lists stand for all applications
CREATE OR REPLACE TEMP TABLE scopes AS
SELECT given.consent_scope, list_has_all(string_split(replace(given.consent_scope, ' ', ''), ';'), r.scope_needed) AS scope_enough
FROM (SELECT DISTINCT consent_scope FROM applicants WHERE consent_scope IS NOT NULL) AS given CROSS JOIN rules AS r;

CREATE OR REPLACE TEMP TABLE exemptions AS
WITH said AS (
  SELECT checks_not_applicable, string_split(replace(checks_not_applicable, ' ', ''), ';') AS checks
  FROM (SELECT DISTINCT checks_not_applicable FROM applicants WHERE checks_not_applicable IS NOT NULL)
)
SELECT checks_not_applicable,
  list_contains(checks, 'id') AS id, list_contains(checks, 'phone') AS phone, list_contains(checks, 'card') AS card,
  list_contains(checks, 'uscc') AS uscc, list_contains(checks, 'consent') AS consent
FROM said;

-- entries in force on the day of application; the first of a fixed order is what is said
CREATE OR REPLACE TEMP TABLE listed AS
WITH known_as AS (
  SELECT application_id, applied_at, 'id' AS kind, 1 AS weight, 'V-BLOCK-ID' AS code, id_hash AS hash FROM keys
  UNION ALL SELECT application_id, applied_at, 'applicant', 2, 'V-BLOCK-APPLICANT', applicant_id FROM keys
  UNION ALL SELECT application_id, applied_at, 'card', 3, 'V-BLOCK-CARD', card_hash FROM keys
  UNION ALL SELECT application_id, applied_at, 'phone', 4, 'V-BLOCK-PHONE', phone_hash FROM keys
  UNION ALL SELECT application_id, applied_at, 'device', 5, 'V-BLOCK-DEVICE', device_hash FROM keys
  UNION ALL SELECT application_id, applied_at, 'contact', 6, 'V-BLOCK-CONTACT', contact_hash FROM keys
  UNION ALL SELECT application_id, applied_at, 'phone', 6, 'V-BLOCK-CONTACT', contact_hash FROM keys  -- a listed phone named as contact
)
SELECT k.application_id, min_by(k.code, k.weight) AS code  -- a weight has one code
FROM known_as AS k
JOIN blocked AS b ON b.kind = k.kind AND b.hash = k.hash AND CAST(k.applied_at AS DATE) BETWEEN b.from_date AND b.to_date
GROUP BY k.application_id;

-- what every check found: a code, '' where it passed, NULL where it could not be done
CREATE OR REPLACE TEMP TABLE findings AS
WITH facts AS (
  SELECT
    p.*,
    a.applicant_id, a.student, a.region, a.applied_at,
    e.uscc,
    e.valid AS uscc_valid,
    a.consent_at, a.consent_withdrawn_at,
    coalesce(o.scope_enough, len(r.scope_needed) = 0) AS scope_enough,
    coalesce(x.id, false) AS na_id, coalesce(x.phone, false) AS na_phone, coalesce(x.card, false) AS na_card,
    coalesce(x.uscc, false) AS na_uscc, coalesce(x.consent, false) AS na_consent,
    k.id_hash, k.phone_hash, k.card_hash, k.device_hash, k.contact_hash,
    coalesce(pa.age_min, r.usual_age_min) AS age_min,
    coalesce(pa.age_max, r.usual_age_max) AS age_max,
    CAST(date_sub('year', coalesce(p.id_birth, p.stated_birth), p.applied_on) AS SMALLINT) AS age_years,
    CASE
      WHEN p.id_kind IS NULL OR p.id_birth IS NULL THEN NULL
      WHEN p.id_kind = 'hkmotw_permit' THEN 'current'
      WHEN g.code IS NULL OR g.first_from > year(p.applied_on) OR g.last_to < greatest(year(p.id_birth), r.numbers_since) THEN 'unknown'
      WHEN g.last_to < year(p.applied_on) THEN 'retired'
      ELSE 'current'
    END AS region_status,
    CASE WHEN p.phone IS NOT NULL THEN coalesce(pp.kind, 'unknown') END AS phone_kind,
    CASE WHEN length(p.card) BETWEEN 16 AND 19 AND NOT regexp_matches(p.card, '[^0-9]') THEN luhn(CAST(p.card AS UBIGINT)) % 10 = 0 END AS card_digit_agrees,
    b.code AS block_code,
    l.id_other_applicants, l.phone_other_applicants, l.card_other_applicants, l.device_other_applicants, l.contact_other_applicants, l.statement_other_applicants,
    k.least_line_hash IS NOT NULL AS has_statement,
    l.applications_1d, l.applications_7d, l.applications_30d, l.applications_90d, l.open_application, l.declines_90d
  FROM parsed AS p
  JOIN applicants AS a USING (application_id)
  CROSS JOIN rules AS r
  LEFT JOIN keys AS k USING (application_id)
  LEFT JOIN links AS l USING (application_id)
  LEFT JOIN listed AS b USING (application_id)
  LEFT JOIN employers AS e ON e.given = a.employer_uscc
  LEFT JOIN scopes AS o ON o.consent_scope = a.consent_scope
  LEFT JOIN exemptions AS x ON x.checks_not_applicable = a.checks_not_applicable
  LEFT JOIN product_ages AS pa ON pa.product = coalesce(a.product, r.first_product)
  LEFT JOIN regions AS g ON g.code = p.region_code
  LEFT JOIN phone_prefixes AS pp ON pp.beginning = left(p.phone, 5) AND pp.digits = length(p.phone)
)
SELECT
  f.application_id, f.applicant_id, f.id_kind,
  CASE WHEN f.id_kind IN ('resident', 'resident_15', 'hkmotw_permit') THEN f.region_code END AS id_region,
  f.region_status AS id_region_status,
  f.age_years, f.phone_kind, f.student, f.region, f.id_hash, f.phone_hash, f.card_hash, f.device_hash,
  {
    id_number: CASE WHEN na_id AND id IS NULL THEN 'V-NA-ID' WHEN id IS NULL THEN 'V-ID-MISSING' WHEN id_kind IS NULL THEN 'V-ID-FORM' ELSE '' END,
    id_generation: CASE id_kind WHEN 'resident_15' THEN 'V-ID-OLD15' WHEN 'foreign_permit_old' THEN 'V-ID-FOREIGN-OLD' ELSE CASE WHEN id_kind IS NOT NULL THEN '' END END,
    id_date: CASE WHEN id_kind IS NOT NULL THEN
      CASE WHEN id_birth IS NULL OR id_birth > applied_on OR age_years > r.oldest_years THEN 'V-ID-DATE' ELSE '' END END,
    id_digit: CASE WHEN digit_agrees IS NOT NULL THEN CASE WHEN digit_agrees THEN '' ELSE 'V-ID-DIGIT' END END,
    id_region: CASE region_status WHEN 'unknown' THEN 'V-ID-REGION' WHEN 'retired' THEN 'V-ID-REGION-RETIRED' WHEN 'current' THEN '' END,
    birth_date: CASE WHEN id_birth IS NOT NULL AND stated_birth IS NOT NULL THEN CASE WHEN id_birth <> stated_birth THEN 'V-BIRTH-DIFFERS' ELSE '' END END,
    gender: CASE WHEN id_gender IS NOT NULL AND stated_gender IS NOT NULL THEN CASE WHEN id_gender <> stated_gender THEN 'V-GENDER-DIFFERS' ELSE '' END END,
    age: CASE
      WHEN age_years IS NULL THEN CASE WHEN na_id THEN 'V-NA-ID' ELSE 'V-AGE-UNKNOWN' END
      WHEN age_years < age_min THEN 'V-AGE-LOW'
      WHEN age_years > age_max THEN 'V-AGE-HIGH'
      ELSE '' END,
    student: CASE WHEN student THEN r.student_code WHEN student IS NOT NULL THEN '' END,
    phone: CASE
      WHEN phone IS NULL THEN CASE WHEN na_phone THEN 'V-NA-PHONE' ELSE 'V-PHONE-MISSING' END
      WHEN na_phone AND phone_kind = 'unknown' THEN 'V-NA-PHONE'
      WHEN phone_kind = 'iot' THEN 'V-PHONE-IOT'
      WHEN NOT regexp_full_match(phone, '1[0-9]{10}') THEN 'V-PHONE-FORM'
      WHEN phone_kind = 'unknown' THEN 'V-PHONE-UNKNOWN'
      WHEN phone_kind = 'satellite' THEN 'V-PHONE-SATELLITE'
      WHEN phone_kind = 'virtual' THEN 'V-PHONE-VIRTUAL'
      ELSE '' END,
    card: CASE
      WHEN card IS NULL THEN CASE WHEN na_card THEN 'V-NA-CARD' ELSE 'V-CARD-MISSING' END
      WHEN na_card AND card_digit_agrees IS NOT true THEN 'V-NA-CARD'
      WHEN card_digit_agrees IS NULL THEN 'V-CARD-FORM'
      WHEN NOT card_digit_agrees AND starts_with(card, '9') THEN 'V-CARD-DIGIT-OLD'
      WHEN NOT card_digit_agrees THEN 'V-CARD-DIGIT'
      ELSE '' END,
    employer_uscc: CASE
      WHEN uscc IS NULL THEN CASE WHEN na_uscc THEN 'V-NA-USCC' ELSE 'V-USCC-MISSING' END
      WHEN uscc_valid THEN ''
      WHEN na_uscc THEN 'V-NA-USCC'
      ELSE 'V-USCC' END,
    consent: CASE
      WHEN consent_withdrawn_at <= applied_at THEN 'V-CONSENT-WITHDRAWN'
      -- taking consent back is no evidence about the applicant but an order to stop: it counts to the end of the as-of date
      WHEN CAST(consent_withdrawn_at AS DATE) <= r.as_of THEN 'V-CONSENT-WITHDRAWN-SINCE'
      WHEN consent_at IS NULL THEN CASE WHEN na_consent THEN 'V-NA-CONSENT' ELSE 'V-CONSENT-MISSING' END
      WHEN consent_at > applied_at THEN 'V-CONSENT-LATE'
      WHEN NOT scope_enough THEN 'V-CONSENT-SCOPE'
      ELSE '' END,
    same_id: CASE WHEN id_hash IS NOT NULL THEN
      CASE WHEN id_other_applicants >= r.id_many THEN 'V-SAME-ID-MANY' WHEN id_other_applicants >= r.id_refer THEN 'V-SAME-ID' ELSE '' END END,
    same_phone: CASE WHEN phone_hash IS NOT NULL THEN
      CASE WHEN phone_other_applicants >= r.phone_many THEN 'V-SAME-PHONE-MANY' WHEN phone_other_applicants >= r.phone_refer THEN 'V-SAME-PHONE' ELSE '' END END,
    same_card: CASE WHEN card_hash IS NOT NULL THEN
      CASE WHEN card_other_applicants >= r.card_many THEN 'V-SAME-CARD-MANY' WHEN card_other_applicants >= r.card_refer THEN 'V-SAME-CARD' ELSE '' END END,
    same_device: CASE WHEN device_hash IS NOT NULL THEN
      CASE WHEN device_other_applicants >= r.device_many THEN 'V-SAME-DEVICE-MANY' WHEN device_other_applicants >= r.device_refer THEN 'V-SAME-DEVICE'
        WHEN device_other_applicants > 0 THEN 'V-SAME-DEVICE-FEW' ELSE '' END END,
    same_contact: CASE WHEN contact_hash IS NOT NULL THEN
      CASE WHEN contact_other_applicants >= r.contact_many THEN 'V-SAME-CONTACT-MANY' WHEN contact_other_applicants >= r.contact_refer THEN 'V-SAME-CONTACT' ELSE '' END END,
    same_statement: CASE WHEN has_statement THEN
      CASE WHEN statement_other_applicants >= r.statement_many THEN 'V-SAME-STATEMENT-MANY' WHEN statement_other_applicants >= r.statement_refer THEN 'V-SAME-STATEMENT' ELSE '' END END,
    own_contact: CASE WHEN contact_hash IS NOT NULL AND phone_hash IS NOT NULL THEN CASE WHEN contact_hash = phone_hash THEN 'V-OWN-CONTACT' ELSE '' END END,
    velocity: CASE
      WHEN applications_1d >= r.many_1d OR applications_7d >= r.many_7d OR applications_30d >= r.many_30d OR applications_90d >= r.many_90d THEN 'V-VELOCITY-MANY'
      WHEN applications_1d >= r.refer_1d OR applications_7d >= r.refer_7d OR applications_30d >= r.refer_30d OR applications_90d >= r.refer_90d THEN 'V-VELOCITY'
      ELSE '' END,
    open_application: CASE WHEN open_application THEN 'V-OPEN-APPLICATION' ELSE '' END,
    past_declines: CASE WHEN declines_90d >= r.declines_refer THEN 'V-PAST-DECLINES' ELSE '' END,
    blocklist: coalesce(block_code, '')
  } AS found
FROM facts AS f CROSS JOIN rules AS r;

-- few patterns of findings stand for all applications: words are put to each pattern once
CREATE OR REPLACE TEMP VIEW verify AS
WITH patterns AS (
  SELECT DISTINCT found FROM findings
),
check_rows AS (
  SELECT found, unnest(found) FROM patterns
),
checks_done AS (  -- one row a pattern and check that could be done
  UNPIVOT check_rows ON COLUMNS(* EXCLUDE (found)) INTO NAME "check" VALUE code
),
judged AS (
  SELECT d.found, o.place, d."check",
    CASE WHEN d.code = '' THEN 'pass' ELSE c.outcome END AS outcome,
    CASE WHEN d.code <> '' AND c.outcome <> 'pass' THEN d.code END AS code
  FROM checks_done AS d
  JOIN check_order AS o ON o."check" = d."check"
  LEFT JOIN codes AS c ON c."check" = d."check" AND c.code = d.code
),
verdicts AS (
  SELECT
    found,
    CASE WHEN bool_or(outcome = 'fail') THEN 'fail' WHEN bool_or(outcome = 'refer') THEN 'refer' ELSE 'pass' END AS verdict,
    coalesce(list({'check': "check", 'outcome': outcome, 'code': code} ORDER BY place) FILTER (outcome <> 'pass'), []) AS checks,
    coalesce(string_agg("check", ' ' ORDER BY place) FILTER (outcome = 'pass'), '') AS passed
  FROM judged
  GROUP BY found
),
codes_found AS (  -- one code may stand under two checks: it is said once
  SELECT found, code, min(place) AS place, min(CASE outcome WHEN 'fail' THEN 1 WHEN 'refer' THEN 2 WHEN 'note' THEN 3 ELSE 4 END) AS weight
  FROM judged WHERE code IS NOT NULL GROUP BY found, code
),
reasons_found AS (
  SELECT found, list(code ORDER BY weight, place) AS reasons FROM codes_found GROUP BY found
),
in_words AS (
  SELECT v.found, v.verdict, v.checks, v.passed, coalesce(r.reasons, ['V-OK']) AS reasons FROM verdicts AS v LEFT JOIN reasons_found AS r ON r.found = v.found
)
SELECT
  f.application_id,
  f.applicant_id,
  v.verdict,
  v.reasons,
  v.checks,
  v.passed,
  f.id_kind,
  f.id_region,
  f.id_region_status,
  f.age_years,
  f.phone_kind,
  f.student,
  f.region,
  f.id_hash,
  f.phone_hash,
  f.card_hash,
  f.device_hash
FROM findings AS f JOIN in_words AS v ON v.found = f.found;
