-- grain:    falls_due: region group, months on book and month to come; to_draw: the same, of what is drawn in it
-- inputs:   coded, places, of_loan (cells.sql), loans, instalments; horizon (month_no, ends), rungs (rung, day); variables start, elsewhere, last_mob
-- leaves:   days (day, month_no, rung), standing_now, to_come (loan_id, place, mob, month_no, rung, principal_fen, interest_fen), falls_due, to_draw
--
-- What falls due is what the instalments say, but no more principal than is outstanding: of a loan that was repaid early all are less.
-- What is outstanding beyond them is late, and due already: it is no instalment to come. month_no 0: after the last month looked at.

CREATE OR REPLACE TEMP TABLE days AS
WITH every AS (SELECT getvariable('start') + CAST(n AS INTEGER) AS day, n FROM range(1, 20000) AS t(n))
SELECT every.day, coalesce((SELECT min(month_no) FROM horizon WHERE ends >= every.day), 0) AS month_no, (SELECT max(rung) FROM rungs WHERE rungs.day <= n) AS rung
FROM every;

CREATE OR REPLACE TEMP TABLE standing_now AS
SELECT loan_id, place, least(greatest(mob, 0), getvariable('last_mob')) AS mob, balance_fen AS fen, 0 AS drawn_in
FROM coded WHERE month = getvariable('start') AND state < 8 AND balance_fen > 0
UNION ALL
SELECT loan_id, coalesce((SELECT min(place) FROM places WHERE starts_with(loans.region, prefix)), getvariable('elsewhere')), -days.month_no, principal_fen, days.month_no
FROM loans JOIN days ON loans.drawn_on = days.day WHERE days.month_no > 0;

CREATE OR REPLACE TEMP TABLE to_come AS
WITH ahead AS (SELECT * FROM instalments SEMI JOIN standing_now USING (loan_id) WHERE due_date > getvariable('start')),
whole AS (SELECT loan_id, sum(principal_fen) AS principal_fen FROM ahead GROUP BY loan_id)
SELECT
  ahead.loan_id, place, mob, month_no, rung,
  CAST(round(ahead.principal_fen * least(fen / nullif(whole.principal_fen, 0), 1)) AS BIGINT) AS principal_fen,
  CAST(round(ahead.interest_fen * least(fen / nullif(whole.principal_fen, 0), 1)) AS BIGINT) AS interest_fen
FROM ahead JOIN standing_now USING (loan_id) JOIN whole USING (loan_id) JOIN days ON days.day = ahead.due_date;

CREATE OR REPLACE TEMP TABLE falls_due AS SELECT place, mob, month_no, CAST(sum(principal_fen) AS DOUBLE) AS fen FROM to_come GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE to_draw AS
SELECT place, mob, drawn_in AS month_no, CAST(sum(fen) AS DOUBLE) AS fen, CAST(sum(CAST(fen AS HUGEINT) * fen) AS DOUBLE) AS squares,
  CAST(sum(CAST(fen AS HUGEINT) * coalesce(covered_ppm, 0)) AS DOUBLE) / 1e6 AS covered_fen, CAST(sum(CAST(fen AS HUGEINT) * annual_rate_ppm) AS DOUBLE) / 1e6 AS rate_fen
FROM standing_now JOIN of_loan USING (loan_id) WHERE drawn_in > 0 GROUP BY ALL;
