-- grain:    one row per hold of a borrower, from when to when
-- inputs:   said (contact_log: contacts, holds and releases that count), hold_kinds (hold, days, ends_with_promise), opens_hold (hold, outcome, party);
--           variable promise_grace
-- leaves:   holds (applicant_id, hold, opened_at, ends_at: itself not in it)

CREATE OR REPLACE TEMP TABLE holds AS
WITH
opened AS (
  SELECT said.applicant_id, opens_hold.hold, said.begun_at, said.promise_date, CAST(NULL AS DATE) AS until FROM said JOIN opens_hold USING (outcome, party) WHERE said.kind = 'contact'
  UNION ALL
  SELECT applicant_id, hold, begun_at, NULL, until FROM said WHERE kind = 'hold'
),
dated AS (
  SELECT
    applicant_id, hold, begun_at AS opened_at,
    CAST(CASE
      WHEN until IS NOT NULL THEN until
      WHEN ends_with_promise AND promise_date IS NOT NULL THEN promise_date + CAST(getvariable('promise_grace') AS INTEGER)
      WHEN days IS NOT NULL THEN CAST(begun_at AS DATE) + days
    END + 1 AS TIMESTAMP)                                                    AS runs_out_at
  FROM opened JOIN hold_kinds USING (hold)
),
lifted AS (
  SELECT dated.applicant_id, dated.hold, dated.opened_at, min(said.begun_at) AS lifted_at
  FROM dated JOIN said ON said.kind = 'release' AND said.applicant_id = dated.applicant_id AND said.hold = dated.hold AND said.begun_at > dated.opened_at
  GROUP BY ALL
)
SELECT applicant_id, hold, opened_at, max(least(coalesce(runs_out_at, TIMESTAMP '9999-12-31'), coalesce(lifted_at, TIMESTAMP '9999-12-31'))) AS ends_at
FROM dated LEFT JOIN lifted USING (applicant_id, hold, opened_at)
GROUP BY applicant_id, hold, opened_at;
