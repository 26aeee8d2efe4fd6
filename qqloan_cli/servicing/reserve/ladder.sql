-- grain:    ladder_due: source, rung and month to come; ladder_drawn: source and rung; stands: source
-- inputs:   to_come, standing_now, days (contracted.sql), loans, funded_by, of_loan; variable interest_to (a source, or null where interest goes by shares)
-- leaves:   ladder_due (source, rung, month_no, principal_fen, interest_fen), ladder_drawn (source, rung, fen, covered_fen), stands (source, fen)
-- Every source has its share of each loan, rounded once for each loan, rung and month.

CREATE OR REPLACE TEMP TABLE ladder_due AS
WITH
by_loan AS (SELECT loan_id, rung, month_no, sum(principal_fen) AS principal_fen, sum(interest_fen) AS interest_fen FROM to_come GROUP BY ALL),
shared AS (
  SELECT source, rung, month_no, round(by_loan.principal_fen * amount_fen / loans.principal_fen) AS principal_fen,
    CASE WHEN getvariable('interest_to') IS NULL THEN round(by_loan.interest_fen * amount_fen / loans.principal_fen) ELSE 0 END AS interest_fen
  FROM by_loan JOIN loans USING (loan_id) JOIN funded_by USING (loan_id)
  UNION ALL
  SELECT getvariable('interest_to'), rung, month_no, 0, interest_fen FROM by_loan WHERE getvariable('interest_to') IS NOT NULL
)
SELECT source, rung, month_no, CAST(sum(principal_fen) AS BIGINT) AS principal_fen, CAST(sum(interest_fen) AS BIGINT) AS interest_fen FROM shared GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE ladder_drawn AS
SELECT source, days.rung, CAST(sum(amount_fen) AS BIGINT) AS fen
FROM loans JOIN days ON loans.drawn_on = days.day JOIN funded_by USING (loan_id)
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE stands AS
SELECT source, CAST(sum(round(standing_now.fen * amount_fen / loans.principal_fen)) AS BIGINT) AS fen
FROM standing_now JOIN loans USING (loan_id) JOIN funded_by USING (loan_id)
WHERE drawn_in = 0 GROUP BY source;
