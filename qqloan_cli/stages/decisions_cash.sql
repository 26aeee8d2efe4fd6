-- decisions, second part: when each source's money leaves, beside what it lets go on one day.
-- Grain: source and day. Reads: disburse_plan (everybody), daily (source, daily_cash_fen: configs/funding.toml), spent (source, pay_date, fen: by earlier runs). Leaves: cash_calendar.

CREATE OR REPLACE TEMP TABLE cash_calendar AS
WITH leaving AS (
  SELECT source, pay_date, count(*) AS tranches, CAST(sum(amount_fen) AS BIGINT) AS out_fen FROM disburse_plan GROUP BY source, pay_date
)
SELECT
  l.source, l.pay_date, l.tranches, l.out_fen,
  coalesce(e.fen, 0)                                                             AS earlier_fen,
  d.daily_cash_fen,
  greatest(d.daily_cash_fen - coalesce(e.fen, 0) - l.out_fen, 0)                 AS left_fen
FROM leaving l LEFT JOIN daily d USING (source) LEFT JOIN spent e USING (source, pay_date);
