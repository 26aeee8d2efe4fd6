-- grain:    classes: class; stages: stage; concentration: what; yields: month
-- inputs:   classes_counted, stages_counted, concentration_counted, yields_counted (portfolio.sql), added over buckets; variable lgd
-- leaves:   classes, stages, concentration, yields

CREATE OR REPLACE TEMP TABLE classes AS
SELECT class, loans, principal_fen, provision_fen, round(principal_fen / nullif(sum(principal_fen) OVER (), 0), 6) AS share_of_principal FROM classes_counted;

CREATE OR REPLACE TEMP TABLE stages AS
SELECT stage, loans, ead_fen, round(defaulting_fen / nullif(ead_fen, 0), 6) AS pd, getvariable('lgd') AS lgd, expected_loss_fen FROM stages_counted;

-- Herfindahl-Hirschman: the sum of squared shares, 1 where all is one's.
CREATE OR REPLACE TEMP TABLE concentration AS
WITH in_all AS (SELECT what, CAST(sum(principal_fen) AS DOUBLE) AS principal_fen FROM concentration_counted GROUP BY what)
SELECT
  what, CAST(sum(CASE WHEN squares IS NULL THEN 1 ELSE parties END) AS BIGINT) AS parties,
  round(CAST(sum(coalesce(counted.squares, CAST(CAST(counted.principal_fen AS HUGEINT) * CAST(counted.principal_fen AS HUGEINT) AS DECIMAL(38,0)))) AS DOUBLE) / nullif(any_value(in_all.principal_fen) * any_value(in_all.principal_fen), 0), 6) AS hhi,
  round(max(CASE WHEN squares IS NULL THEN counted.principal_fen ELSE largest_fen END) / nullif(any_value(in_all.principal_fen), 0), 6) AS largest_share,
  max_by(whose, (counted.principal_fen, whose)) FILTER (WHERE whose IS NOT NULL) AS largest
FROM concentration_counted AS counted JOIN in_all USING (what)
GROUP BY what;

-- By month of value: what came in as income and went as loss, over the mean of what was outstanding at both ends; and principal by prepayment.
CREATE OR REPLACE TEMP TABLE yields AS
WITH
running AS (
  SELECT *, CAST(sum(principal_fen) OVER (ORDER BY month) AS BIGINT) AS closing_fen, CAST(sum(principal_fen) OVER (ORDER BY month) - principal_fen AS BIGINT) AS opening_fen
  FROM yields_counted
)
SELECT
  month, opening_fen, closing_fen, interest_fen, fees_fen, lost_fen, recovered_fen,
  round(12 * (interest_fen + fees_fen - lost_fen + recovered_fen) / nullif((opening_fen + closing_fen) / 2, 0), 6)  AS net_yield,
  early_fen, round(early_fen / nullif(opening_fen, 0), 6)                                                          AS smm,
  CASE WHEN opening_fen > 0 THEN round(1 - power(1 - least(early_fen / opening_fen, 1), 12), 6) END                   AS cpr
FROM running;
