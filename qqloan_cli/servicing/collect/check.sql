-- grain:    one row per contact and rule that it broke, per gap in a series of numbers, per record that need not be kept any more
-- inputs:   log (contact_log, all of it), broken, told (act, contact_id: contacts of the period); variables first, last, keep_months, keep_rule, keep_force, keep_certainty, keep_document, keep_verified
-- leaves:   breaches (contract breaches)

CREATE OR REPLACE TEMP TABLE breaches AS
WITH
against_rules AS (
  SELECT breach, rule, force, certainty, observed, verified_through, document, contact_id, says FROM broken JOIN told USING (act)
),
series AS (  -- numbers that are given out one after another: at least every second one of a series is there
  SELECT contact_id, begun_at, regexp_extract(contact_id, '^(.*?)([0-9]{1,18})$', 1) AS series, CAST(regexp_extract(contact_id, '([0-9]{1,18})$', 1) AS BIGINT) AS number
  FROM log WHERE regexp_matches(contact_id, '[0-9]{1,18}$')
),
followed AS (
  SELECT
    *, number - lag(number) OVER one_after_another - 1 AS missing, lag(contact_id) OVER one_after_another AS before_it,
    2 * count(*) OVER of_series >= max(number) OVER of_series - min(number) OVER of_series + 1 AS in_order
  FROM series
  WINDOW one_after_another AS (PARTITION BY series ORDER BY number), of_series AS (PARTITION BY series)
),
gaps AS (
  SELECT 'numbering-gap' AS breach, 'own.numbering' AS rule, 'policy' AS force, 'H' AS certainty, true AS observed, CAST(NULL AS DATE) AS verified_through, 'collections.toml' AS document, contact_id,
    missing || ' missing between ' || before_it || ' and ' || contact_id AS says
  FROM followed WHERE missing > 0 AND in_order AND CAST(begun_at AS DATE) BETWEEN getvariable('first') AND getvariable('last')
),
kept_long_enough AS (
  SELECT 'may-be-erased' AS breach, getvariable('keep_rule') AS rule, getvariable('keep_force') AS force, getvariable('keep_certainty') AS certainty, true AS observed,
    getvariable('keep_verified') AS verified_through, getvariable('keep_document') AS document, contact_id, 'kept for ' || getvariable('keep_months') || ' months by ' || getvariable('last') AS says
  FROM log WHERE CAST(begun_at AS DATE) + to_months(CAST(getvariable('keep_months') AS INTEGER)) < getvariable('last')
)
SELECT found.*, log.applicant_id, log.begun_at, log.channel, log.party, log.target
FROM (FROM against_rules UNION ALL FROM gaps UNION ALL FROM kept_long_enough) AS found JOIN log USING (contact_id);
