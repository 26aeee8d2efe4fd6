-- grain:    flows: loan, owners and what moved; takeovers: one row per loan and time at which others came to own a part of it
-- inputs:   ledger, passed_on, loans; variables first, last
-- leaves:   takeovers (loan_id, nth, kind, day, amount_fen), flows (loan_id, owners, what, before_fen, by_end_fen): since these owners have the loan
--
-- An event says by its other side what became of a part: money (cash, advance), a loss (written_off), a waiver, or interest that a
-- restructuring made principal. What came late is of the period in which it was booked, so that statements of periods add up.

CREATE OR REPLACE TEMP TABLE takeovers AS
SELECT loan_id, row_number() OVER (PARTITION BY loan_id ORDER BY day, kind DESC, event_id) AS nth, kind, day, amount_fen   -- the guarantor before who buys back
FROM passed_on SEMI JOIN loans USING (loan_id);

CREATE OR REPLACE TEMP TABLE flows AS
WITH
kinds AS (  -- of the event as such: what is booked anew of it may touch two accounts alone
  SELECT loan_id, event_id, bool_or(account IN ('cash', 'advance')) AS money, bool_or(account = 'written_off') AS lost, bool_or(account = 'waived') AS waived
  FROM ledger WHERE loan_id IS NOT NULL GROUP BY loan_id, event_id
),
booked AS (
  SELECT
    loan_id, event_id, posted_at,
    sum(credit_fen - debit_fen) FILTER (WHERE account = 'principal') AS principal, sum(credit_fen - debit_fen) FILTER (WHERE account = 'interest') AS interest,
    sum(credit_fen - debit_fen) FILTER (WHERE account = 'penalty') AS penalty, sum(credit_fen - debit_fen) FILTER (WHERE account = 'fees') AS fees,
    sum(credit_fen - debit_fen) FILTER (WHERE account = 'recovery') AS recovery
  FROM ledger
  WHERE loan_id IS NOT NULL AND event_id <> 'penalty' AND NOT starts_with(event_id, 'due-') AND posted_at <= getvariable('last')
  GROUP BY loan_id, event_id, posted_at
),
owned AS (
  SELECT booked.*, count(takeovers.nth) AS owners
  FROM booked LEFT JOIN takeovers ON takeovers.loan_id = booked.loan_id AND takeovers.day <= booked.posted_at
  GROUP BY ALL
),
parts AS (
  SELECT loan_id, owners, posted_at, unnest([
    {'what': 'drawn', 'fen': CASE WHEN event_id = 'drawdown' THEN -principal END},
    {'what': 'principal', 'fen': CASE WHEN money AND event_id <> 'drawdown' AND NOT lost THEN principal END},
    {'what': 'interest', 'fen': CASE WHEN money AND NOT lost THEN interest END},
    {'what': 'penalty', 'fen': CASE WHEN money AND NOT lost THEN penalty END},
    {'what': 'fees', 'fen': CASE WHEN money AND NOT lost THEN fees END},
    {'what': 'recovered', 'fen': recovery},
    {'what': 'written_off', 'fen': CASE WHEN lost THEN principal END},
    {'what': 'capitalised', 'fen': CASE WHEN NOT money AND NOT lost AND NOT waived THEN -principal END}
  ]) AS part
  FROM owned JOIN kinds USING (loan_id, event_id)
)
SELECT
  loan_id, owners, part.what AS what, CAST(coalesce(sum(part.fen) FILTER (WHERE posted_at < getvariable('first')), 0) AS BIGINT) AS before_fen, CAST(sum(part.fen) AS BIGINT) AS by_end_fen
FROM parts WHERE part.fen IS NOT NULL
GROUP BY loan_id, owners, part.what
HAVING by_end_fen <> 0 OR before_fen <> 0;
