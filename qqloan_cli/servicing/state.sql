-- grain:    one row per loan drawn by the day
-- inputs:   loans, broken (loan_id), lanes_taken (lane, loan_id, is_now, is_then), figures (by lane); variables classes (from best to worst), by_borrower
-- leaves:   stated (contract state): what is known now, and beside it what was said on the day itself

CREATE OR REPLACE TEMP TABLE stated AS
WITH
known_now AS (SELECT loan_id, figures.* FROM figures JOIN lanes_taken USING (lane) WHERE is_now),
said_then AS (SELECT loan_id, figures.* FROM figures JOIN lanes_taken USING (lane) WHERE is_then)
SELECT
  loans.loan_id, loans.application_id, loans.applicant_id,
  CASE WHEN broken.loan_id IS NULL THEN known_now.status ELSE 'broken' END       AS status,
  known_now.* EXCLUDE (loan_id, lane, status, class),
  CASE WHEN getvariable('by_borrower') THEN max_by(known_now.class, list_position(getvariable('classes'), known_now.class)) OVER (PARTITION BY loans.applicant_id)
       ELSE known_now.class END                                                  AS class,
  broken.loan_id IS NULL AND (known_now.dpd, known_now.owed_fen, known_now.principal_fen, known_now.advance_fen, known_now.status)
    IS DISTINCT FROM (said_then.dpd, said_then.owed_fen, said_then.principal_fen, said_then.advance_fen, said_then.status)   AS restated,
  said_then.dpd                                                                  AS dpd_said,
  said_then.owed_fen                                                             AS owed_said_fen
FROM loans
LEFT JOIN broken USING (loan_id)
LEFT JOIN known_now USING (loan_id)
LEFT JOIN said_then USING (loan_id);
