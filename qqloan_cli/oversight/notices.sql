-- notices, first part: what each letter of a run says.
--
-- grain     application
-- reads     limit, decided (contract decisions), income, credit, social, offers, cost_table, schedule, disburse_plan of a bucket; people
--           (application_id, name, id_number): nobody unless names were asked for
-- settings  kinds, reason_of, within, says, charges, product_words, condition_words, words (a row a language), all of configs/notices
-- variables dated, valid_until; one_application: one application, or null
-- leaves    letters (application: kind, figures, mask), and by language: told, costs, choices, sources, conditions
-- macros    letters.sql
-- The bits of a mask are conditions in the order of WHENS in policy/notices.py.

CREATE OR REPLACE TEMP TABLE letters AS
WITH decided_on AS (
  SELECT l.*, d.decide_by, d.funded_fen,
    l.requested_term_months IS NOT NULL AND l.term_months <> l.requested_term_months               AS other_term,
    l.decision = 'approve' AND l.amount_fen < l.requested_amount_fen                               AS cut
  FROM "limit" l JOIN decided d USING (application_id)
  WHERE getvariable('one_application') IS NULL OR l.application_id = getvariable('one_application')
),
of_kind AS (
  SELECT *,
    CASE decision WHEN 'decline' THEN 'decline' WHEN 'refer' THEN 'referral' ELSE CASE WHEN cut OR other_term THEN 'partial' ELSE 'approval' END END AS kind
  FROM decided_on
)
SELECT
  row_number() OVER (ORDER BY k.application_id) - 1                                                AS place,
  k.application_id, k.applicant_id, k.kind, k.product, k.reason_codes, k.decide_by,
  CAST(k.applied_at AS DATE)                                                                       AS applied_on,
  k.requested_amount_fen, k.requested_term_months, k.amount_fen, k.term_months, k.annual_rate, k.all_in_annual_cost, k.monthly_payment_fen,
  p.name, p.id_number,
  k.cut, k.other_term, k.decision = 'approve' AND k.funded_fen IS NULL                             AS waiting
FROM of_kind k
JOIN kinds USING (kind)
LEFT JOIN people p USING (application_id)
ORDER BY place;

-- Reasons, in order of weight: each once, four at most; what says little is left out where something says more.
CREATE OR REPLACE TEMP TABLE principal_reasons AS
WITH coded AS (
  SELECT l.application_id, unnest(l.reason_codes) AS code, generate_subscripts(l.reason_codes, 1) AS weight
  FROM letters l WHERE l.kind <> 'approval'
),
said AS (
  SELECT c.application_id, r.say, min(c.weight) AS weight, any_value(r.weak) AS weak
  FROM coded c JOIN reason_of r USING (code)
  WHERE NOT r.silent
  GROUP BY c.application_id, r.say
),
telling AS (
  SELECT s.*, bool_and(s.weak) OVER (PARTITION BY s.application_id) AS none_says_more
  FROM said s
  WHERE NOT EXISTS (FROM within w JOIN said o ON o.say = w.other WHERE w.say = s.say AND o.application_id = s.application_id)
)
SELECT application_id, say, weight
FROM telling
WHERE NOT weak OR none_says_more
QUALIFY row_number() OVER (PARTITION BY application_id ORDER BY weight) <= 4;

CREATE OR REPLACE TEMP TABLE told AS
WITH put_into_words AS (
  SELECT p.application_id, p.weight, s.lang, s.text, s.change
  FROM principal_reasons p JOIN says s USING (say)
),
changes AS (  -- the same advice once
  SELECT application_id, lang, change, min(weight) AS weight FROM put_into_words WHERE change IS NOT NULL GROUP BY ALL
)
SELECT w.application_id, w.lang,
  string_agg('- ' || w.text, chr(10) ORDER BY w.weight)                                            AS reasons,
  any_value(c.advice)                                                                              AS changes
FROM put_into_words w
LEFT JOIN (SELECT application_id, lang, string_agg('- ' || change, chr(10) ORDER BY weight) AS advice FROM changes GROUP BY ALL) c USING (application_id, lang)
GROUP BY w.application_id, w.lang;

-- The comprehensive cost table of what was approved (offer 0) and of every offer: what is charged in any case with its total; below, what is contingent.
CREATE OR REPLACE TEMP TABLE costs AS
WITH worded AS (
  SELECT t.application_id, t.offer_no, t.item_no, t.item, t.contingent, c.lang, c.name, c.how, c.payee,
    CASE WHEN t.standard IS NULL THEN c.none ELSE in_percent(t.standard) || ' ' || c.per END       AS standard,
    CASE WHEN t.amount_fen IS NULL THEN c.none ELSE in_yuan(t.amount_fen) END                      AS amount,
    CASE WHEN t.annualised IS NULL THEN c.none ELSE in_percent(t.annualised) END                   AS annualised
  FROM cost_table t
  JOIN letters l USING (application_id)
  JOIN charges c ON c.product = t.product AND c.item = t.item
),
lines AS (
  SELECT application_id, offer_no, item_no, lang, contingent,
    CASE WHEN contingent THEN concat('| ', name, ' | ', how, ' | ', standard, ' | ', payee, ' |')
         WHEN item = 'total' THEN concat('| **', name, '** | ', how, ' | ', standard, ' | ', payee, ' | **', amount, '** | **', annualised, '** |')
         ELSE concat('| ', name, ' | ', how, ' | ', standard, ' | ', payee, ' | ', amount, ' | ', annualised, ' |') END AS line
  FROM worded
),
parted AS (
  SELECT application_id, offer_no, lang,
    string_agg(line, chr(10) ORDER BY item_no) FILTER (NOT contingent)                             AS regular,
    string_agg(line, chr(10) ORDER BY item_no) FILTER (contingent)                                 AS contingent
  FROM lines GROUP BY ALL
)
SELECT p.application_id, p.offer_no, p.lang,
  concat(w.cost_head, chr(10), p.regular, CASE WHEN p.contingent IS NOT NULL THEN concat(chr(10), chr(10), w.contingent_head, chr(10), p.contingent) END) AS text
FROM parted p JOIN words w USING (lang);

CREATE OR REPLACE TEMP TABLE choices AS
WITH lines AS (
  SELECT o.application_id, o.offer_no, p.lang,
    concat('| ', o.offer_no, ' | ', p.title, ' | ', in_yuan(o.amount_fen), ' | ', so_many_months(o.term_months, p.lang), ' | ', in_percent(o.annual_rate), ' | ',
           in_percent(o.all_in_annual_cost), ' | ', in_yuan(o.monthly_payment_fen), ' |')           AS line
  FROM offers o JOIN letters l USING (application_id) JOIN product_words p ON p.product = o.product
)
SELECT l.application_id, l.lang,
  concat(any_value(w.offers_head), chr(10), string_agg(l.line, chr(10) ORDER BY l.offer_no))       AS offers,
  string_agg(concat('### ', w.cost_of_offer, ' ', c.offer_no, chr(10), chr(10), c.text), chr(10) || chr(10) ORDER BY l.offer_no) AS offer_costs
FROM lines l
JOIN words w USING (lang)
LEFT JOIN costs c USING (application_id, offer_no, lang)
GROUP BY l.application_id, l.lang;

-- What the decision looked at: of each source, whether it had anything on this applicant.
CREATE OR REPLACE TEMP TABLE sources AS
SELECT
  l.application_id,
  coalesce(i.payroll_months, 0) > 0                                                                AS payroll,
  coalesce(i.fund_months, 0) > 0                                                                   AS fund,
  coalesce(i.statement_months, 0) > 0                                                              AS bank,
  coalesce(c.credit_accounts > 0 OR c.hard_inquiries_6m > 0 OR c.history <> 'none', false)         AS credit,
  coalesce(s.wealth_months, 0) > 0                                                                 AS wealth,
  coalesce(s.activity_months, 0) > 0 OR s.degree IS NOT NULL                                       AS activity
FROM letters l
LEFT JOIN income i USING (application_id)
LEFT JOIN credit c USING (application_id)
LEFT JOIN social s USING (application_id);

-- Several conditions of one payment stand in the plan with '; ' between them.
CREATE OR REPLACE TEMP TABLE conditions AS
WITH tranches AS (
  SELECT application_id, tranche_no, condition, min(pay_date) AS pay_date, CAST(sum(amount_fen) AS BIGINT) AS amount_fen
  FROM disburse_plan SEMI JOIN letters USING (application_id)
  WHERE condition IS NOT NULL
  GROUP BY ALL
),
wordings AS (
  SELECT t.condition, w.lang, replace(string_agg(coalesce(c.text, t.part), chr(31) ORDER BY t.n), chr(31), CASE w.lang WHEN 'zh' THEN '；' ELSE '; ' END) AS text
  FROM (SELECT condition, unnest(string_split(condition, '; ')) AS part, generate_subscripts(string_split(condition, '; '), 1) AS n FROM (SELECT DISTINCT condition FROM tranches)) t
  CROSS JOIN words w LEFT JOIN condition_words c ON c.condition = t.part AND c.lang = w.lang
  GROUP BY t.condition, w.lang
)
SELECT t.application_id, o.lang,
  string_agg(CASE o.lang
    WHEN 'zh' THEN concat('- ', in_yuan(t.amount_fen), ' 元：', w.from_date, on_day(t.pay_date, 'zh'), '，', w.condition, o.text, '。')
    ELSE concat('- ', in_yuan(t.amount_fen), ' yuan: ', w.from_date, ' ', on_day(t.pay_date, 'en'), ', ', w.condition, ' ', o.text, '.') END,
    chr(10) ORDER BY t.tranche_no)                                                                 AS text
FROM tranches t JOIN wordings o USING (condition) JOIN words w ON w.lang = o.lang
GROUP BY t.application_id, o.lang;

CREATE OR REPLACE TEMP TABLE first_dues AS
SELECT application_id, min(due_date) AS first_due FROM schedule SEMI JOIN letters USING (application_id) GROUP BY application_id;

ALTER TABLE letters ADD COLUMN mask INTEGER;
UPDATE letters SET mask = bits.mask
FROM (
  SELECT l.application_id,
    CAST(l.name IS NOT NULL AS INTEGER)
    + 2 * CAST(o.application_id IS NOT NULL AS INTEGER)
    + 4 * CAST(t.changes IS NOT NULL AS INTEGER)
    + 8 * CAST(s.credit AS INTEGER)
    + 16 * CAST(l.cut AS INTEGER)
    + 32 * CAST(l.kind = 'partial' AND l.other_term AS INTEGER)
    + 64 * CAST(f.application_id IS NOT NULL AS INTEGER)
    + 128 * CAST(c.application_id IS NOT NULL AS INTEGER)
    + 256 * CAST(l.waiting AS INTEGER)                                                             AS mask
  FROM letters l
  JOIN sources s USING (application_id)
  LEFT JOIN (SELECT DISTINCT application_id FROM choices) o USING (application_id)
  LEFT JOIN (SELECT application_id, any_value(changes) AS changes FROM told GROUP BY ALL) t USING (application_id)
  LEFT JOIN first_dues f USING (application_id)
  LEFT JOIN (SELECT DISTINCT application_id FROM conditions) c USING (application_id)
) bits
WHERE letters.application_id = bits.application_id;
