-- grain:    pool_moves: day, what moved, one row each; compensations: one row an event; compensated: one row a loan
-- inputs:   ledger, loans, funded_by, passed_on of the book; funders (source); agreed (since, of_drawn, of_interest); variables upto (a day),
--           part (of the funders' principal), kept (of a recovery)
-- leaves:   covered (loan_id, covered_ppm), compensations, compensated (loan_id, since, until, compensated_fen), pool_moves (day, drawn_fen, interest_fen,
--           compensation_fen, recovered_fen): whole fen, rounded once for each loan, event and day
--
-- Everything goes by the day of posting, as statements do. What a loan brings after the pool paid comes back to it, and no more than it
-- paid, until the lender buys the claim back.

CREATE OR REPLACE TEMP TABLE covered AS
SELECT loans.loan_id, CAST(round(sum(funded_by.amount_fen) * getvariable('part') * 1000000 / any_value(loans.principal_fen)) AS BIGINT) AS covered_ppm
FROM loans JOIN funded_by USING (loan_id) SEMI JOIN funders ON funders.source = funded_by.source
GROUP BY loans.loan_id;

CREATE OR REPLACE TEMP VIEW compensations AS SELECT * FROM passed_on WHERE kind = 'compensation';

CREATE OR REPLACE TEMP TABLE compensated AS
SELECT loan_id, min(compensations.day) AS since, any_value(bought.day) AS until, CAST(sum(amount_fen) AS BIGINT) AS compensated_fen
FROM compensations LEFT JOIN (SELECT loan_id, min(day) AS day FROM passed_on WHERE kind = 'buy_back' GROUP BY loan_id) AS bought USING (loan_id)
GROUP BY loan_id;

CREATE OR REPLACE TEMP TABLE pool_moves AS
WITH
covered_entries AS (
  SELECT * FROM ledger JOIN covered USING (loan_id)
  WHERE posted_at <= getvariable('upto')
),
kinds AS (  -- of the event as such: what is booked anew of it may touch two accounts alone
  SELECT loan_id, event_id, bool_or(account IN ('cash', 'advance')) AS money, bool_or(account = 'written_off') AS lost FROM covered_entries GROUP BY ALL
),
booked AS (
  SELECT
    loan_id, covered_ppm, event_id, posted_at AS day,
    coalesce(sum(debit_fen - credit_fen) FILTER (WHERE account = 'principal' AND event_id = 'drawdown'), 0)                           AS drawn,
    coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account = 'interest' AND money AND NOT lost AND NOT starts_with(event_id, 'due-')), 0) AS interest,
    coalesce(sum(credit_fen - debit_fen) FILTER (WHERE account IN ('principal', 'recovery') AND money AND NOT lost AND event_id <> 'drawdown'), 0) AS principal
  FROM covered_entries JOIN kinds USING (loan_id, event_id)
  GROUP BY ALL
),
contributed AS (
  SELECT day,
    CAST(sum(round(drawn * covered_ppm * of_drawn / 1000000)) AS BIGINT) AS drawn_fen, CAST(sum(round(interest * covered_ppm * of_interest / 1000000)) AS BIGINT) AS interest_fen
  FROM booked ASOF JOIN agreed ON booked.day >= agreed.since
  GROUP BY day
),
brought AS (  -- since the pool paid, by then
  SELECT loan_id, day, compensated_fen,
    sum(sum(principal * covered_ppm)) OVER (PARTITION BY loan_id ORDER BY day) / 1000000 AS fen
  FROM booked JOIN compensated USING (loan_id)
  WHERE day >= since AND day < coalesce(until, DATE '9999-12-31')
  GROUP BY loan_id, day, compensated_fen
),
came_back AS (
  SELECT day, round(least(greatest(fen, 0), compensated_fen) * getvariable('kept')) AS upto_fen,
    lag(upto_fen, 1, 0) OVER (PARTITION BY loan_id ORDER BY day) AS before_fen
  FROM brought
),
each AS (
  SELECT day, drawn_fen, interest_fen, 0 AS compensation_fen, 0 AS recovered_fen FROM contributed
  UNION ALL SELECT day, 0, 0, amount_fen, 0 FROM compensations
  UNION ALL SELECT day, 0, 0, 0, amount_fen FROM passed_on SEMI JOIN compensated USING (loan_id) WHERE kind = 'buy_back'
  UNION ALL SELECT day, 0, 0, 0, upto_fen - before_fen FROM came_back
)
SELECT
  day, CAST(sum(drawn_fen) AS BIGINT) AS drawn_fen, CAST(sum(interest_fen) AS BIGINT) AS interest_fen,
  CAST(sum(compensation_fen) AS BIGINT) AS compensation_fen, CAST(sum(recovered_fen) AS BIGINT) AS recovered_fen
FROM each GROUP BY day;
