-- grain:    late_loans: one row per late loan; late: one row per borrower who has one
-- inputs:   state (contract state), pauses (loan_id: paused on the day), chances (arm, bucket, chance, chance_from), arms_of (applicant_id, arm), stages (stage, from_dpd, until_dpd)
-- leaves:   late_loans, late

CREATE OR REPLACE TEMP TABLE late_loans AS
WITH aged AS (
  SELECT
    applicant_id, loan_id, dpd, CASE WHEN dpd <= 180 THEN 'M' || ((dpd + 29) // 30) ELSE 'M6+' END AS bucket, owed_fen,
    principal_fen + interest_fen + penalty_fen + fees_fen AS at_risk_fen, pauses.loan_id IS NOT NULL AS paused
  FROM state LEFT JOIN pauses USING (loan_id)
  WHERE status = 'overdue' AND dpd > 0
)
SELECT aged.*, arm, chance, chance_from, CAST(round(owed_fen * chance) AS BIGINT) AS expected_fen
FROM aged JOIN arms_of USING (applicant_id) JOIN chances USING (arm, bucket);

CREATE OR REPLACE TEMP TABLE late AS
WITH by_borrower AS (
  SELECT
    applicant_id, arm, coalesce(max(dpd) FILTER (WHERE NOT paused), max(dpd)) AS dpd, bool_and(paused) AS all_paused,
    coalesce(CAST(sum(owed_fen) FILTER (WHERE NOT paused) AS BIGINT), 0) AS owed_fen, coalesce(CAST(sum(at_risk_fen) FILTER (WHERE NOT paused) AS BIGINT), 0) AS at_risk_fen,
    coalesce(CAST(sum(expected_fen) FILTER (WHERE NOT paused) AS BIGINT), 0) AS expected_fen,
    sum(owed_fen * CAST(round(chance * 1000000) AS BIGINT)) FILTER (WHERE NOT paused) AS weighed,
    arg_max(chance_from, (dpd, loan_id)) AS chance_from, arg_max(chance, (dpd, loan_id)) AS chance_latest,
    list({'loan_id': loan_id, 'dpd': dpd, 'bucket': bucket, 'owed_fen': owed_fen, 'at_risk_fen': at_risk_fen, 'chance': chance, 'expected_fen': expected_fen, 'paused': paused}
      ORDER BY dpd DESC, loan_id) AS loans
  FROM late_loans GROUP BY applicant_id, arm
)
SELECT
  by_borrower.* EXCLUDE (chance_latest, weighed), stage,
  CASE WHEN owed_fen > 0 THEN round(weighed / owed_fen / 1000000, 6) ELSE chance_latest END AS chance
FROM by_borrower JOIN stages ON dpd >= from_dpd AND dpd < until_dpd;
