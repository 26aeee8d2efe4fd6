-- grain:    a band of approved amounts, in yuan
-- inputs:   decisions
-- leaves:   from_yuan (where the band begins), approved, amount_fen, expected_bad_rate
WITH banded AS (
  SELECT *, CASE WHEN amount_fen < 1000000 THEN 0 WHEN amount_fen < 10000000 THEN amount_fen // 1000000 * 10000 ELSE amount_fen // 5000000 * 50000 END AS from_yuan
  FROM decisions WHERE age = 0 AND decision = 'approve'
)
SELECT CAST(from_yuan AS BIGINT) AS from_yuan, count(*) AS approved, CAST(sum(amount_fen) AS BIGINT) AS amount_fen, round(avg(pd), 6) AS expected_bad_rate
FROM banded GROUP BY from_yuan ORDER BY from_yuan
