-- grain:    moves: region group, band of months on book, bucket before and after; cells: region group, months on book, bucket and whether
--           the pool has paid; twice: one row
-- inputs:   panel (loan_id, month, dpd, status, balance_fen, region, mob), places (prefix, place), bands (band, mob), of_loan (loan_id,
--           covered_ppm, annual_rate_ppm, compensated); variables start, since (days), elsewhere (a place), last_mob, part_ppm, rate_ppm
-- leaves:   moves, cells, twice. Sums of whole numbers: no thread changes them
--
-- Buckets are numbers here: 0 to 6 for M0 to M6, 7 for M6+, 8 paid, 9 written off. A move is one from a month's end to the next one's; a
-- loan that is not there any more then has left, which is no move. What a part of a month after the last month's end brought is no move
-- either, but it is where the cells stand.

CREATE OR REPLACE TEMP TABLE regions AS
SELECT region, coalesce((SELECT min(place) FROM places WHERE starts_with(region, prefix)), getvariable('elsewhere')) AS place
FROM (SELECT DISTINCT region FROM panel WHERE region IS NOT NULL);

CREATE OR REPLACE TEMP VIEW coded AS
SELECT
  loan_id, month, mob, balance_fen, coalesce(place, getvariable('elsewhere')) AS place,
  CASE status WHEN 'paid' THEN 8 WHEN 'written_off' THEN 9 ELSE least((dpd + 29) // 30, 7) END AS state
FROM panel LEFT JOIN regions USING (region)
WHERE month <= getvariable('start') AND month >= getvariable('since');

CREATE OR REPLACE TEMP TABLE pairs AS
WITH followed AS (
  SELECT *, lead(month) OVER of_loan AS next_month, lead(state) OVER of_loan AS to_state, lead(balance_fen) OVER of_loan AS to_fen
  FROM coded WINDOW of_loan AS (PARTITION BY loan_id ORDER BY month)
)
SELECT
  place, mob, state, CASE WHEN next_month = month THEN -1 ELSE to_state END AS to_state, count(*) AS loans, sum(balance_fen) AS fen, sum(CAST(balance_fen AS HUGEINT) * balance_fen) AS squares, sum(to_fen) AS to_fen
FROM followed
WHERE state < 8 AND (next_month = month OR month = last_day(month) AND next_month = last_day(month + INTERVAL 1 MONTH))
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE twice AS SELECT coalesce(sum(loans), 0) AS loans FROM pairs WHERE to_state = -1;

CREATE OR REPLACE TEMP TABLE moves AS
SELECT place, band, state, to_state, CAST(sum(loans) AS BIGINT) AS loans, CAST(sum(fen) AS DOUBLE) AS fen, CAST(sum(squares) AS DOUBLE) AS squares, CAST(sum(to_fen) AS DOUBLE) AS to_fen
FROM pairs ASOF JOIN bands ON greatest(pairs.mob, 0) >= bands.mob
WHERE to_state >= 0
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE cells AS
SELECT
  place, least(greatest(mob, 0), getvariable('last_mob')) AS mob, state, coalesce(compensated, false) AS compensated, count(*) AS loans, CAST(sum(balance_fen) AS DOUBLE) AS fen,
  CAST(sum(CAST(balance_fen AS HUGEINT) * balance_fen) AS DOUBLE) AS squares,
  CAST(sum(CAST(balance_fen AS HUGEINT) * coalesce(covered_ppm, getvariable('part_ppm'))) AS DOUBLE) / 1e6 AS covered_fen,
  CAST(sum(CAST(balance_fen AS HUGEINT) * coalesce(annual_rate_ppm, getvariable('rate_ppm'))) AS DOUBLE) / 1e6 AS rate_fen
FROM coded LEFT JOIN of_loan USING (loan_id)
WHERE month = getvariable('start') AND (state < 8 OR state = 9 AND compensated) AND balance_fen > 0
GROUP BY ALL;
