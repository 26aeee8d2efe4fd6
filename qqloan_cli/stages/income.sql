-- income, first half: from an applicant's records to sums by month.
-- Grain: application (a) and month; an application sees nothing later than its own day.
-- Inputs: applicants, payroll, provident_fund, bank_statements, credit_accounts (one bucket);
--         income_settings (one row), line_classes, income_rules (rule_no, code, class, counts_permille): configs/income.toml;
--         memo_rules, counterparty_rules: what the rules say of each distinct text; gross_pay: net pay of slips that give gross only.
-- Leaves: applications, lines, bank_months, payroll_months, fund_months, bank_facts and what income_figure.sql reads besides, for the second half (income_figure.sql).

CREATE OR REPLACE TEMP TABLE applications AS
SELECT
  CAST(row_number() OVER (ORDER BY application_id) - 1 AS INTEGER)  AS a,
  application_id,
  applicant_id,
  CAST(applied_at AS DATE)                                          AS applied_on,
  CAST(year(applied_at) * 12 + month(applied_at) AS INTEGER)        AS applied_month,
  CAST(date_trunc('month', applied_at) - to_months(window_months) AS DATE) AS window_from,
  coalesce(region, '')                                              AS region,
  stated_monthly_income_fen,
  stated_income_verified IS TRUE                                    AS stated_verified
FROM applicants CROSS JOIN income_settings;

SET VARIABLE home_currency = (SELECT currency FROM income_settings);  -- a constant, which a file's statistics can answer
CREATE OR REPLACE TEMP TYPE line_class AS ENUM (SELECT class FROM line_classes ORDER BY class);

-- Statement lines in the window, with what the rules say of them. line is a line's name among the steps below; it orders nothing.
CREATE OR REPLACE TEMP TABLE window_lines AS
SELECT
  x.a, coalesce(b.account, '') AS account, b.booked_at, b.amount_fen, b.balance_fen, b.line_id,
  r.rule_no,
  coalesce(r.class, CAST('other' AS line_class)) AS class,
  coalesce(r.counts_permille, 0)                 AS counts_permille,
  c.counterparty_no, c.person,
  m.memo_no,
  CAST(x.applied_month - (year(b.booked_at) * 12 + month(b.booked_at)) AS TINYINT) AS ago,
  b.src_file, b.src_row
FROM bank_statements b
JOIN applications x ON b.applicant_id = x.applicant_id AND b.booked_at < x.applied_on + 1 AND b.booked_at >= x.window_from
LEFT JOIN memo_rules m ON m.memo = b.memo
LEFT JOIN counterparty_rules c ON c.counterparty = b.counterparty
LEFT JOIN (SELECT rule_no, CAST(class AS line_class) AS class, counts_permille FROM income_rules) r
  ON r.rule_no = CASE WHEN b.amount_fen > 0 THEN least(m.rule_in, c.rule_in) ELSE least(m.rule_out, c.rule_out) END
WHERE b.amount_fen <> 0 AND (b.currency IS NULL OR b.currency = getvariable('home_currency'));

CREATE OR REPLACE TEMP VIEW booked AS
SELECT rowid AS line, * FROM window_lines;

-- Money of another currency is not counted: there is no rate here to trust.
CREATE OR REPLACE TEMP TABLE foreign_money AS
SELECT DISTINCT x.a
FROM bank_statements b
JOIN applications x ON b.applicant_id = x.applicant_id AND b.booked_at < x.applied_on + 1 AND b.booked_at >= x.window_from
WHERE b.currency <> getvariable('home_currency');

-- Overlapping exports bring a line twice: by the bank's own number; without one, by account, time, amount and balance;
-- without a balance, the n-th such line of one file is the n-th of another. True repeats, which differ in these, stay.
-- The hash only narrows the search: what is equal is decided on the columns themselves, and which of them stays by what it says,
-- never by its place in a file.
CREATE OR REPLACE TEMP TABLE counted_once AS
WITH hashed AS (
  SELECT hash(a, account, coalesce(line_id, ''), CASE WHEN line_id IS NULL THEN booked_at END, CASE WHEN line_id IS NULL THEN amount_fen END,
    CASE WHEN line_id IS NULL THEN balance_fen END) AS h
  FROM booked
),
alike AS (
  SELECT h FROM hashed GROUP BY h HAVING count(*) > 1
),
perhaps AS (
  SELECT b.*, CAST(b.src_file AS BIGINT) << 40 | b.src_row AS place, m.memo, c.counterparty
  FROM booked b LEFT JOIN memo_rules m USING (memo_no) LEFT JOIN counterparty_rules c USING (counterparty_no) SEMI JOIN alike ON alike.h = hash(b.a, b.account, coalesce(b.line_id, ''), CASE WHEN b.line_id IS NULL THEN b.booked_at END,
    CASE WHEN b.line_id IS NULL THEN b.amount_fen END, CASE WHEN b.line_id IS NULL THEN b.balance_fen END)
),
numbered AS (
  SELECT line, row_number() OVER (PARTITION BY a, account, line_id ORDER BY booked_at, amount_fen, balance_fen, memo, counterparty, place) AS nth
  FROM perhaps WHERE line_id IS NOT NULL
  UNION ALL
  SELECT line, row_number() OVER (PARTITION BY a, account, booked_at, amount_fen, balance_fen ORDER BY memo, counterparty, place)
  FROM perhaps WHERE line_id IS NULL AND balance_fen IS NOT NULL
  UNION ALL
  SELECT line, row_number() OVER (PARTITION BY a, account, booked_at, amount_fen, counterparty_no, memo_no, nth ORDER BY place) FROM (
    SELECT *, row_number() OVER (PARTITION BY a, account, booked_at, amount_fen, counterparty_no, memo_no, src_file ORDER BY src_row) AS nth
    FROM perhaps WHERE line_id IS NULL AND balance_fen IS NULL
  )
)
SELECT line FROM numbered WHERE nth > 1;

CREATE OR REPLACE TEMP VIEW counted AS
SELECT * FROM booked ANTI JOIN counted_once USING (line);

-- Moves between own accounts: the same amount out of one and into another within days, each end used once.
CREATE OR REPLACE TEMP TABLE own_pairs AS
WITH several_accounts AS (  -- and, were rows not sorted, others too: pairs are of two accounts all the same
  SELECT a
  FROM (SELECT a, account, lag(a) OVER () AS before_a, lag(account) OVER () AS before_account FROM booked)
  WHERE before_a IS DISTINCT FROM a OR before_account <> account
  GROUP BY a HAVING count(*) > 1
),
ends AS (
  SELECT b.line, b.a, b.account, b.booked_at, b.amount_fen, b.balance_fen, b.rule_no, b.class, b.counts_permille, b.ago, b.src_file, b.src_row, CAST(b.booked_at AS DATE) AS on_date
  FROM counted b SEMI JOIN several_accounts USING (a)
),
close_ends AS (
  SELECT
    o.a, o.line AS out_line, i.line AS in_line, i.ago, i.class, i.counts_permille,
    row_number() OVER (PARTITION BY o.line
      ORDER BY abs(i.on_date - o.on_date), i.booked_at, i.account, i.rule_no, i.balance_fen, i.src_file, i.src_row) AS nearest_in,
    row_number() OVER (PARTITION BY i.line
      ORDER BY abs(i.on_date - o.on_date), o.booked_at, o.account, o.rule_no, o.balance_fen, o.src_file, o.src_row) AS nearest_out
  FROM ends o CROSS JOIN income_settings s
  JOIN ends i ON i.a = o.a AND i.amount_fen = -o.amount_fen AND i.account <> o.account AND abs(i.on_date - o.on_date) <= s.days_apart
  WHERE o.amount_fen < 0
)
SELECT * FROM close_ends WHERE nearest_in = 1 AND nearest_out = 1;

CREATE OR REPLACE TEMP TABLE own_lines AS
-- A line that says salary is not believed to be a mere move for one coincidence, but is where it comes back month after month.
WITH pay_from_self AS (
  SELECT p.a FROM own_pairs p CROSS JOIN income_settings s
  WHERE p.counts_permille > 0 OR p.class = 'bonus'
  GROUP BY p.a HAVING count(DISTINCT p.ago) >= any_value(s.circular_months)
),
believed AS (
  SELECT p.*, f.a IS NOT NULL AND p.counts_permille > 0 AS circular
  FROM own_pairs p LEFT JOIN pay_from_self f ON f.a = p.a
  WHERE f.a IS NOT NULL OR p.counts_permille = 0
)
SELECT out_line AS line, circular FROM believed
UNION ALL
SELECT in_line, circular FROM believed;

-- Pay without the word: nearly the same amount on nearly the same day of several months, from a payer that is no private person.
CREATE OR REPLACE TEMP TABLE recurring AS
WITH unnamed_credits AS (
  SELECT c.a, c.counterparty_no, c.ago, day(c.booked_at) AS on_day, c.amount_fen, c.line
  FROM counted c ANTI JOIN own_lines o ON o.line = c.line
  WHERE c.amount_fen > 0 AND c.class IN ('transfer_in', 'other') AND c.person IS NOT TRUE
),
usual AS (
  SELECT a, counterparty_no, quantile_disc(amount_fen, 0.5) AS amount_fen, quantile_disc(on_day, 0.5) AS on_day
  FROM unnamed_credits CROSS JOIN income_settings s
  GROUP BY a, counterparty_no HAVING count(*) >= any_value(s.recurring_months)
),
near_it AS (
  SELECT c.*
  FROM unnamed_credits c JOIN usual u ON u.a = c.a AND u.counterparty_no IS NOT DISTINCT FROM c.counterparty_no CROSS JOIN income_settings s
  WHERE abs(c.amount_fen - u.amount_fen) * 1000 <= u.amount_fen * CASE WHEN c.counterparty_no IS NULL THEN s.unnamed_within_permille ELSE s.recurring_within_permille END
    AND least(abs(c.on_day - u.on_day), 31 - abs(c.on_day - u.on_day)) <= s.recurring_days
),
month_after_month AS (
  SELECT a, counterparty_no FROM near_it CROSS JOIN income_settings s
  GROUP BY a, counterparty_no HAVING count(DISTINCT ago) >= any_value(s.recurring_months)
)
SELECT n.line
FROM near_it n SEMI JOIN month_after_month m ON m.a = n.a AND m.counterparty_no IS NOT DISTINCT FROM n.counterparty_no;

-- Pay that flows back to whoever paid it is not pay.
CREATE OR REPLACE TEMP TABLE circular AS
WITH paid_in AS (
  SELECT c.a, c.counterparty_no, sum(c.amount_fen) AS fen
  FROM counted c LEFT JOIN recurring r ON r.line = c.line
  WHERE c.amount_fen > 0 AND c.counterparty_no IS NOT NULL AND (c.counts_permille > 0 OR r.line IS NOT NULL)
  GROUP BY c.a, c.counterparty_no
),
paid_back AS (
  SELECT a, counterparty_no, -sum(amount_fen) AS fen, count(DISTINCT ago) AS months
  FROM counted SEMI JOIN paid_in USING (a, counterparty_no)
  WHERE amount_fen < 0 AND class NOT IN ('loan_repayment', 'card_repayment')
  GROUP BY a, counterparty_no
)
SELECT a, counterparty_no
FROM paid_in i JOIN paid_back o USING (a, counterparty_no) CROSS JOIN income_settings s
WHERE o.fen * 1000 >= i.fen * s.returned_permille AND o.months >= s.circular_months;

-- The lines that tell something of income, debts or habits; what the others are for is said in bank_facts and balance_breaks.
CREATE OR REPLACE TEMP TABLE lines AS
SELECT
  c.a, c.booked_at, c.ago, c.amount_fen, c.rule_no, c.counterparty_no,
  CAST(CASE WHEN o.line IS NOT NULL THEN 'own_transfer' WHEN r.line IS NOT NULL THEN 'salary' ELSE c.class END AS line_class) AS class,
  CASE WHEN o.line IS NOT NULL THEN 'paired' WHEN r.line IS NOT NULL THEN 'recurring' END AS by_pattern,
  o.circular IS TRUE OR (k.a IS NOT NULL AND c.amount_fen > 0 AND (c.counts_permille > 0 OR r.line IS NOT NULL)) AS circular,
  CAST(CASE WHEN o.line IS NOT NULL OR k.a IS NOT NULL OR c.amount_fen < 0 THEN 0
            WHEN r.line IS NOT NULL THEN s.recurring_permille ELSE c.counts_permille END AS SMALLINT) AS counts_permille,
  c.amount_fen % s.round_fen = 0 AS round_amount
FROM counted c
CROSS JOIN income_settings s
LEFT JOIN own_lines o ON o.line = c.line
LEFT JOIN recurring r ON r.line = c.line
LEFT JOIN circular k ON k.a = c.a AND k.counterparty_no = c.counterparty_no
WHERE c.counts_permille > 0 OR o.line IS NOT NULL OR r.line IS NOT NULL
  OR c.class IN ('salary', 'bonus', 'gambling', 'own_transfer', 'loan_proceeds', 'loan_repayment', 'card_repayment', 'business_cost')
  OR (c.class = 'refund' AND c.amount_fen < 0);

-- Takings are less what customers got back; their margin is taken later, by what the statement shows of costs.
CREATE OR REPLACE TEMP TABLE bank_months AS
SELECT
  a, ago,
  CAST(sum(amount_fen * counts_permille) FILTER (class <> 'business') // 1000 AS BIGINT)  AS regular_fen,
  CAST(sum(amount_fen) FILTER (class = 'business' OR class = 'refund') AS BIGINT)         AS takings_fen,
  CAST(-sum(amount_fen) FILTER (class = 'business_cost') AS BIGINT)                       AS costs_fen
FROM lines
WHERE counts_permille > 0 OR (amount_fen < 0 AND class IN ('business_cost', 'refund'))
GROUP BY a, ago;

CREATE OR REPLACE TEMP TABLE bank_facts AS
WITH coverage AS (
  SELECT
    a,
    max(ago) - min(ago) + 1                                                       AS statement_months,
    min(balance_fen)                                                              AS lowest_balance_fen,
    CASE WHEN count(balance_fen) > 0 THEN count(*) FILTER (balance_fen < 0) END   AS overdrawn_lines
  FROM counted GROUP BY a
),
sums AS (
  SELECT
    a,
    CAST(sum(amount_fen) FILTER (class = 'bonus') AS BIGINT)                      AS bonus_fen,
    CAST(sum(amount_fen) FILTER (counts_permille > 0) AS BIGINT)                  AS income_in_window_fen,
    count(*) FILTER (class = 'salary')                                            AS pay_lines,
    count(*) FILTER (class = 'salary' AND round_amount)                           AS round_lines,
    CAST(sum(amount_fen) FILTER (class = 'own_transfer') AS BIGINT)               AS own_in_fen,
    CAST(-sum(amount_fen) FILTER (class IN ('loan_repayment', 'card_repayment')) AS BIGINT) AS repaid_fen,
    CAST(sum(amount_fen) FILTER (class = 'loan_proceeds') AS BIGINT)              AS loan_proceeds_fen,
    CAST(-sum(amount_fen) FILTER (class = 'gambling') AS BIGINT)                  AS gambling_fen,
    min(counterparty_no) FILTER (class = 'salary' AND counts_permille > 0)        AS first_payer,
    max(counterparty_no) FILTER (class = 'salary' AND counts_permille > 0)        AS last_payer
  FROM lines
  WHERE counts_permille > 0
    OR (amount_fen > 0 AND class IN ('bonus', 'own_transfer', 'loan_proceeds'))
    OR (amount_fen < 0 AND class IN ('loan_repayment', 'card_repayment', 'gambling'))
  GROUP BY a
)
SELECT *, a IN (SELECT a FROM lines WHERE circular) AS circular FROM coverage LEFT JOIN sums USING (a);

-- Lenders whom the statement shows being repaid and whom the credit report does not have: under neither name the other is a part of.
CREATE OR REPLACE TEMP TABLE undeclared AS
WITH repaid AS (
  SELECT a, counterparty_no, -sum(amount_fen) AS fen FROM lines
  WHERE amount_fen < 0 AND class IN ('loan_repayment', 'card_repayment') AND counterparty_no IS NOT NULL
  GROUP BY a, counterparty_no
),
reported AS (
  SELECT DISTINCT x.a, c.lender
  FROM credit_accounts c JOIN applications x ON c.applicant_id = x.applicant_id AND c.opened_at <= x.applied_on
  WHERE c.lender <> ''
)
SELECT r.a, count(*) FILTER (NOT r.known) AS lenders, CAST(coalesce(sum(r.fen) FILTER (NOT r.known), 0) AS BIGINT) AS fen
FROM (
  SELECT p.a, p.counterparty_no, any_value(p.fen) AS fen, bool_or(contains(n.counterparty, l.lender) OR contains(l.lender, n.counterparty)) AS known
  FROM repaid p JOIN counterparty_rules n USING (counterparty_no) JOIN reported l ON l.a = p.a
  GROUP BY p.a, p.counterparty_no
) r
GROUP BY r.a;

-- Balances: every line's opening balance must be another's closing balance, but the first. That needs no order, which files often
-- do not have within a day, and it forgives what banks round away. Accounts whose lines follow on each other as they stand
-- cannot have a break, so only the others are looked at closely (rows come sorted; were they not, all would be).
CREATE OR REPLACE TEMP TABLE balance_breaks AS
WITH as_they_stand AS (
  SELECT a, account, balance_fen - amount_fen AS opening_fen,
    lag(a) OVER () AS before_a, lag(account) OVER () AS before_account, lag(balance_fen) OVER () AS before_fen
  FROM counted WHERE balance_fen IS NOT NULL
),
starts_or_breaks AS (
  SELECT a, account
  FROM as_they_stand CROSS JOIN income_settings s
  WHERE before_a IS DISTINCT FROM a OR before_account <> account OR abs(opening_fen - before_fen) > s.balance_rounding_fen
),
doubtful AS (
  SELECT a, account FROM starts_or_breaks GROUP BY a, account HAVING count(*) > 1
),
their_lines AS (
  SELECT a, account, balance_fen, balance_fen - amount_fen AS opening_fen
  FROM counted SEMI JOIN doubtful USING (a, account) WHERE balance_fen IS NOT NULL
),
differences AS (
  SELECT a, account, fen, sum(n) AS n FROM (
    SELECT a, account, opening_fen AS fen, 1 AS n FROM their_lines UNION ALL SELECT a, account, balance_fen, -1 FROM their_lines
  ) GROUP BY a, account, fen HAVING sum(n) <> 0
),
unmatched AS (
  SELECT o.a, o.account, sum(o.n) - 1 AS breaks
  FROM differences o CROSS JOIN income_settings s
  WHERE o.n > 0 AND NOT EXISTS (
    FROM differences c WHERE c.n < 0 AND c.a = o.a AND c.account = o.account AND c.fen BETWEEN o.fen - s.balance_rounding_fen AND o.fen + s.balance_rounding_fen
  )
  GROUP BY o.a, o.account
)
SELECT a, CAST(sum(greatest(breaks, 0)) AS INTEGER) AS breaks FROM unmatched GROUP BY a;

CREATE OR REPLACE TEMP TABLE pay_slips AS
SELECT
  x.a, p.pay_date, p.employer, coalesce(p.net_fen, g.net_fen) AS net_fen, coalesce(p.net_fen, p.gross_fen) AS said_fen,
  CAST(x.applied_month - (year(p.pay_date) * 12 + month(p.pay_date)) AS TINYINT) AS ago,
  p.src_file, p.src_row
FROM payroll p
JOIN applications x ON p.applicant_id = x.applicant_id AND p.pay_date <= x.applied_on AND p.pay_date >= x.window_from
LEFT JOIN gross_pay g ON g.src_file = p.src_file AND g.src_row = p.src_row;

CREATE OR REPLACE TEMP TABLE payroll_months AS
SELECT a, ago, CAST(sum(net_fen) AS BIGINT) AS income_fen, min(employer) AS first_name, max(employer) AS last_name
FROM pay_slips GROUP BY a, ago;

CREATE OR REPLACE TEMP TABLE fund_payments AS
SELECT
  x.a, f.month, hash(nullif(f.employer, '')) AS employer_no, f.base_fen, f.personal_amount_fen, f.employer_amount_fen,
  CAST(x.applied_month - (year(f.month) * 12 + month(f.month)) AS TINYINT) AS ago,
  f.src_file, f.src_row
FROM provident_fund f
JOIN applications x ON f.applicant_id = x.applicant_id AND f.month <= x.applied_on AND f.month >= x.window_from;

CREATE OR REPLACE TEMP TABLE fund_months AS
SELECT
  a, ago,
  CAST(sum(base_fen) AS BIGINT)            AS base_fen,
  CAST(sum(personal_amount_fen) AS BIGINT) AS personal_fen,
  CAST(sum(employer_amount_fen) AS BIGINT) AS employer_fen
FROM fund_payments GROUP BY a, ago;

-- Employers by name, of the best source that gives any: pay slips, else the fund, else whom the statement shows paying. A change is
-- the first pay of the one who paid last, where all others had ended by then; two at a time are a second job.
CREATE OR REPLACE TEMP TABLE employers AS
WITH one_or_more AS (
  SELECT a, min(first_name) = max(last_name) AS one FROM payroll_months WHERE first_name IS NOT NULL GROUP BY a
),
in_fund AS (
  SELECT a, min(employer_no) = max(employer_no) AS one FROM fund_payments ANTI JOIN one_or_more USING (a) WHERE employer_no IS NOT NULL GROUP BY a
),
in_bank AS (
  SELECT a, first_payer = last_payer AS one FROM bank_facts ANTI JOIN one_or_more USING (a) ANTI JOIN in_fund USING (a) WHERE first_payer IS NOT NULL
),
several AS (
  SELECT p.a, p.employer, p.pay_date AS paid_on FROM pay_slips p SEMI JOIN (FROM one_or_more WHERE NOT one) USING (a)
  UNION ALL
  SELECT f.a, CAST(f.employer_no AS VARCHAR), f.month FROM fund_payments f SEMI JOIN (FROM in_fund WHERE NOT one) USING (a)
  UNION ALL
  SELECT l.a, CAST(l.counterparty_no AS VARCHAR), CAST(l.booked_at AS DATE) FROM lines l SEMI JOIN (FROM in_bank WHERE NOT one) USING (a)
  WHERE l.class = 'salary' AND l.counts_permille > 0
),
spells AS (
  SELECT a, employer, min(paid_on) AS first_on, max(paid_on) AS last_on FROM several WHERE employer <> '' GROUP BY a, employer
)
SELECT a, 1 AS employers, CAST(NULL AS DATE) AS changed_on FROM (FROM one_or_more UNION ALL FROM in_fund UNION ALL FROM in_bank) WHERE one
UNION ALL
SELECT a, count(*), CASE WHEN max(first_on) > max(last_on, 2)[2] THEN max(first_on) END FROM spells GROUP BY a;
