-- income, second half: the sources brought together, and every figure's lines.
-- Grain: income: application; income_lines: application, figure and line.
-- Inputs: what income.sql left, and figures (one row an application): each source's steady amount.
-- Contract: income, income_lines (qqloan_cli/contracts/stages.py).

CREATE OR REPLACE TEMP VIEW income AS
WITH sources AS (
  SELECT
    x.a, x.application_id, x.applicant_id, x.stated_monthly_income_fen, f.*  EXCLUDE (a),
    nullif(f.payroll_fen, 0)                                                          AS payroll,
    CASE WHEN f.fund_months > 0 THEN nullif(f.fund_fen, 0) END                        AS fund,
    CASE WHEN f.fund_months > 0 AND NOT f.fund_capped THEN nullif(f.fund_most_fen, 0) END AS fund_most,
    nullif(f.bank_fen + coalesce(b.bonus_fen, 0) * s.bonus_permille // 12000, 0)      AS bank,
    CASE WHEN x.stated_verified THEN nullif(x.stated_monthly_income_fen, 0) * s.stated_permille // 1000 END AS verified,
    coalesce(b.statement_months, 0)                                                   AS statement_months,
    b.* EXCLUDE (a, statement_months),
    coalesce(k.breaks, 0)                                                             AS breaks,
    m.a IS NOT NULL                                                                   AS foreign_money,
    u.lenders                                                                         AS undeclared_lenders,
    u.fen                                                                             AS undeclared_fen,
    coalesce(e.employers, 0)                                                          AS employers,
    e.changed_on,
    x.applied_on,
    s
  FROM applications x
  JOIN figures f USING (a)
  CROSS JOIN income_settings s
  LEFT JOIN bank_facts b USING (a)
  LEFT JOIN balance_breaks k USING (a)
  LEFT JOIN foreign_money m USING (a)
  LEFT JOIN undeclared u USING (a)
  LEFT JOIN employers e USING (a)
),
-- Each source's word for the others: what two of them confirm counts whole, one alone counts in part.
-- All of it rises, or stays, when any amount rises.
confirmed AS (
  SELECT *,
    payroll IS NOT NULL AND bank IS NULL AND statement_months >= s.unseen_after_months AS unseen,
    CASE
      WHEN payroll IS NOT NULL AND bank IS NOT NULL AND fund IS NOT NULL THEN greatest(least(payroll, bank), least(fund, greatest(payroll, bank)))
      WHEN payroll IS NOT NULL AND bank IS NOT NULL THEN least(payroll, bank)
      WHEN payroll IS NOT NULL AND fund IS NOT NULL
        THEN least(payroll, greatest(fund, least(payroll * s.payroll_alone_permille // 1000, coalesce(fund_most * s.fund_lag_permille // 1000, payroll))))
      WHEN bank IS NOT NULL AND fund IS NOT NULL THEN greatest(bank, fund * s.fund_alone_permille // 1000)
      WHEN bank IS NOT NULL THEN bank
      WHEN fund IS NOT NULL THEN fund * s.fund_alone_permille // 1000
      WHEN payroll IS NOT NULL AND statement_months >= s.unseen_after_months THEN payroll * s.payroll_unseen_permille // 1000
      WHEN payroll IS NOT NULL THEN payroll * s.payroll_alone_permille // 1000
    END AS evidence
  FROM sources
),
conservative_income AS (
  SELECT *,
    greatest(evidence, verified) AS income_fen,
    CASE
      WHEN verified > coalesce(evidence, 0) THEN 'stated-verified'
      WHEN evidence IS NULL THEN NULL
      WHEN payroll IS NOT NULL AND bank IS NOT NULL AND fund > least(payroll, bank) AND payroll <> bank THEN 'fund-between-payroll-and-bank'
      WHEN payroll IS NOT NULL AND bank IS NOT NULL THEN 'lower-of-payroll-and-bank'
      WHEN payroll IS NOT NULL AND fund IS NOT NULL THEN 'payroll-within-fund'
      WHEN bank IS NOT NULL AND fund * s.fund_alone_permille // 1000 > bank THEN 'fund-above-bank'
      WHEN bank IS NOT NULL THEN 'bank'
      WHEN fund IS NOT NULL THEN 'fund-alone'
      WHEN unseen THEN 'payroll-unseen-in-bank'
      ELSE 'payroll-alone'
    END AS rule,
    coalesce(abs(payroll - bank) * 1000 <= s.agree_permille * greatest(payroll, bank), false) AS payroll_bank,
    coalesce(abs(payroll - fund) * 1000 <= s.agree_permille * greatest(payroll, fund), false) AS payroll_fund,
    coalesce(abs(bank - fund) * 1000 <= s.agree_permille * greatest(bank, fund), false)       AS bank_fund,
    payroll_bank OR payroll_fund OR bank_fund                                                  AS agree,
    coalesce(payroll * 1000 > s.inflated_permille * bank, false)
      OR coalesce(payroll * 1000 > s.inflated_permille * fund_most, false) AS inflated,
    coalesce(bank * 1000 > s.inflated_permille * fund_most, false) AS above_fund
  FROM confirmed
),
signs AS (
  SELECT *,
    list_filter([
      CASE WHEN inflated THEN 'I-INFLATED' END,
      CASE WHEN above_fund AND NOT inflated THEN 'I-ABOVE-FUND' END,
      CASE WHEN circular THEN 'I-CIRCULAR' END,
      CASE WHEN breaks >= s.breaks_least THEN 'I-BALANCE-BREAK' END,
      CASE WHEN unseen THEN 'I-UNSEEN-PAY' END,
      CASE WHEN trend + 1 > s.recent_rise THEN 'I-RECENT-RISE' END,
      CASE WHEN pay_lines >= s.round_least AND round_lines * 1000 >= s.round_permille * pay_lines THEN 'I-ROUND-PAY' END,
      CASE WHEN gambling_fen * 1000 > s.gambling_permille * coalesce(income_in_window_fen, 0) AND gambling_fen > 0 THEN 'I-GAMBLING' END,
      CASE WHEN undeclared_lenders > 0 THEN 'I-LENDER-UNDECLARED' END,
      CASE WHEN foreign_money THEN 'I-CURRENCY' END
    ], lambda sign: sign IS NOT NULL) AS flags
  FROM conservative_income
)
SELECT
  application_id,
  applicant_id,
  income_fen                                                        AS monthly_income_fen,
  rule                                                              AS income_rule,
  CASE
    WHEN income_fen IS NULL THEN 'none'
    WHEN inflated OR above_fund OR circular OR unseen THEN 'low'
    WHEN agree AND months_covered >= s.high_months THEN 'high'
    WHEN agree OR (rule = 'bank' AND bank_months >= s.medium_months) OR rule = 'stated-verified' THEN 'medium'
    ELSE 'low'
  END                                                               AS income_confidence,
  payroll                                                           AS payroll_income_fen,
  payroll_months,
  CASE WHEN payroll IS NULL THEN NULL
    WHEN inflated OR unseen OR payroll_months < s.medium_months THEN 'low'
    WHEN (payroll_bank OR payroll_fund) AND payroll_months >= s.high_months THEN 'high' ELSE 'medium' END  AS payroll_confidence,
  fund                                                              AS fund_income_fen,
  fund_months,
  CASE WHEN fund IS NULL THEN NULL
    WHEN fund_months < s.medium_months THEN 'low'
    WHEN (payroll_fund OR bank_fund) AND fund_months >= s.high_months THEN 'high' ELSE 'medium' END        AS fund_confidence,
  bank                                                              AS bank_income_fen,
  bank_months,
  CASE WHEN bank IS NULL THEN NULL
    WHEN above_fund OR circular OR breaks >= s.breaks_least OR bank_months < s.medium_months THEN 'low'
    WHEN (payroll_bank OR bank_fund) AND bank_months >= s.high_months THEN 'high' ELSE 'medium' END        AS bank_confidence,
  statement_months,
  stated_monthly_income_fen                                         AS stated_income_fen,
  months_covered,
  cv                                                                AS income_cv,
  trend                                                             AS income_trend,
  gap_months                                                        AS income_gap_months,
  employers,
  changed_on                                                        AS employer_changed_on,
  coalesce(own_in_fen, 0) // greatest(statement_months, 1)          AS own_transfers_fen,
  coalesce(repaid_fen, 0) // greatest(statement_months, 1)          AS statement_debt_service_fen,
  undeclared_lenders,
  undeclared_fen // greatest(statement_months, 1)                   AS undeclared_debt_service_fen,
  coalesce(loan_proceeds_fen, 0)                                    AS loan_proceeds_fen,
  coalesce(gambling_fen, 0)                                         AS gambling_fen,
  lowest_balance_fen,
  overdrawn_lines                                                   AS overdrawn_days,
  flags,
  list_concat([CASE
    WHEN income_fen IS NULL THEN 'I-NO-EVIDENCE'
    WHEN rule = 'stated-verified' THEN 'I-STATED-VERIFIED'
    WHEN (CAST(payroll IS NOT NULL AS INTEGER) + CAST(fund IS NOT NULL AS INTEGER) + CAST(bank IS NOT NULL AS INTEGER)) >= 2
      THEN CASE WHEN agree THEN 'I-AGREED' ELSE 'I-LOWER-TAKEN' END
    ELSE 'I-ONE-SOURCE'
  END],
  CASE WHEN income_fen IS NOT NULL AND rule <> 'stated-verified' AND months_covered < s.medium_months THEN ['I-SHORT'] ELSE [] END,
  CASE WHEN changed_on > applied_on - to_months(s.changed_months) THEN ['I-EMPLOYER-CHANGED'] ELSE [] END,
  flags)                                                            AS reasons
FROM signs;

-- Only lines that went into a figure, in order of what they say. Names are slow to sort and to write, so they are ENUMs: those that
-- stand in the key have their names in alphabetical order.
CREATE OR REPLACE TEMP TYPE income_figure AS ENUM ('bank_income', 'debt_service', 'fund_income', 'gambling', 'loan_proceeds', 'own_transfer', 'payroll_income');
CREATE OR REPLACE TEMP TYPE income_input AS ENUM ('payroll', 'provident_fund', 'bank_statements');
CREATE OR REPLACE TEMP TYPE line_rule AS ENUM (SELECT code FROM income_rules UNION SELECT unnest(['paired', 'recurring']) ORDER BY ALL);
CREATE OR REPLACE TEMP VIEW figure_lines AS
WITH told AS (
  SELECT
    a, CAST('payroll_income' AS income_figure) AS figure, pay_date AS on_date, said_fen AS amount_fen, CAST('salary' AS line_class) AS class,
    CAST(NULL AS line_rule) AS rule
  FROM pay_slips
  UNION ALL
  SELECT a, CAST('fund_income' AS income_figure), month, coalesce(base_fen, personal_amount_fen, employer_amount_fen), CAST('fund' AS line_class), NULL
  FROM fund_payments
  UNION ALL
  SELECT
    a,
    CASE class
      WHEN 'own_transfer' THEN CAST('own_transfer' AS income_figure)
      WHEN 'loan_proceeds' THEN CAST('loan_proceeds' AS income_figure)
      WHEN 'gambling' THEN CAST('gambling' AS income_figure)
      WHEN 'loan_repayment' THEN CAST('debt_service' AS income_figure)
      WHEN 'card_repayment' THEN CAST('debt_service' AS income_figure)
      ELSE CAST('bank_income' AS income_figure) END,
    CAST(booked_at AS DATE), amount_fen, class, coalesce(CAST(by_pattern AS line_rule), r.rule)
  FROM lines LEFT JOIN (SELECT rule_no, CAST(code AS line_rule) AS rule FROM income_rules) r USING (rule_no)
  WHERE counts_permille > 0 OR (class = 'bonus' AND amount_fen > 0) OR (class = 'gambling' AND amount_fen < 0)
    OR class IN ('own_transfer', 'loan_proceeds', 'loan_repayment', 'card_repayment')
  UNION ALL  -- what lowers takings, of those who have some
  SELECT a, CAST('bank_income' AS income_figure), CAST(booked_at AS DATE), amount_fen, class, r.rule
  FROM lines SEMI JOIN (SELECT a FROM lines WHERE class = 'business') USING (a) LEFT JOIN (SELECT rule_no, CAST(code AS line_rule) AS rule FROM income_rules) r USING (rule_no)
  WHERE amount_fen < 0 AND class IN ('business_cost', 'refund')
)
SELECT x.application_id, l.* FROM told l JOIN applications x USING (a)
ORDER BY l.a, l.figure, l.on_date, l.amount_fen, l.class, l.rule;

CREATE OR REPLACE TEMP VIEW income_lines AS
SELECT
  application_id, figure,
  CASE figure
    WHEN 'payroll_income' THEN CAST('payroll' AS income_input)
    WHEN 'fund_income' THEN CAST('provident_fund' AS income_input)
    ELSE CAST('bank_statements' AS income_input) END                AS input,
  on_date, amount_fen, class, rule
FROM figure_lines;
