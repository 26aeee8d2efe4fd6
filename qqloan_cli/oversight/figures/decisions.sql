-- grain:    a date and a decision
-- inputs:   decisions
-- leaves:   as_of, decision, applications, share (of the date's), amount_fen, funded_fen, expected_bad_rate
SELECT
  as_of, decision, count(*) AS applications, round(count(*) / sum(count(*)) OVER (PARTITION BY as_of), 6) AS share,
  CAST(sum(amount_fen) AS BIGINT) AS amount_fen, CAST(sum(funded_fen) AS BIGINT) AS funded_fen, round(avg(pd), 6) AS expected_bad_rate
FROM decisions GROUP BY as_of, decision ORDER BY as_of, decision
