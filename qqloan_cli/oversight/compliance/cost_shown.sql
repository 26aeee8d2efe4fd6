-- grain:    an approved application
-- inputs:   made, rules, own (legal_is_effective)
-- leaves:   rule, made_in, subject, on_date, found (the annual cost that is shown), allowed (what the instalments come to), amount_fen, breaks (nothing is shown, or less than it is)
--           Five hundredths of a percentage point are what an upfront fee in one of several tranches may move it by.
SELECT
  rules.rule, made_in, subject, on_date, cost_said AS found, CASE WHEN legal_is_effective THEN cost_effective ELSE cost_nominal END AS allowed, amount_fen,
  found IS NULL OR coalesce(found < allowed - 0.0005, false) AS breaks
FROM made, own JOIN rules ON on_date BETWEEN from_date AND to_date
WHERE rules.topic = 'cost_shown' AND made_in <> 'book'
