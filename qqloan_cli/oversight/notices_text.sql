-- notices, second part: the letters themselves, of some places.
--
-- grain     application and language
-- reads     what notices.sql leaves; templates (kind, lang, mask, text) as policy/notices.py makes them: {0}, {1}, ... are FIELDS in their order
-- variables dated, valid_until, from_place, to_place
-- leaves    notices (contract)

CREATE OR REPLACE TEMP VIEW notices AS
WITH these AS (
  SELECT * FROM letters WHERE place >= getvariable('from_place') AND place < getvariable('to_place')
),
looked_at AS (
  SELECT s.application_id, w.lang,
    concat('- ', w.source_application,
      CASE WHEN s.payroll THEN concat(chr(10), '- ', w.source_payroll) END,
      CASE WHEN s.fund THEN concat(chr(10), '- ', w.source_fund) END,
      CASE WHEN s.bank THEN concat(chr(10), '- ', w.source_bank) END,
      CASE WHEN s.credit THEN concat(chr(10), '- ', w.source_credit) END,
      CASE WHEN s.wealth THEN concat(chr(10), '- ', w.source_wealth) END,
      CASE WHEN s.activity THEN concat(chr(10), '- ', w.source_activity) END)                      AS text
  FROM sources s SEMI JOIN these USING (application_id) CROSS JOIN words w
)
SELECT
  l.application_id,
  CAST(NULL AS VARCHAR)                                                                            AS loan_id,
  l.applicant_id, l.kind, w.lang,
  CAST(getvariable('dated') AS DATE)                                                               AS dated,
  format(t.text,
    as_name(l.name),
    masked_id(l.id_number),
    p.title,
    on_day(CAST(getvariable('dated') AS DATE), w.lang),
    l.application_id,
    on_day(l.applied_on, w.lang),
    in_yuan(l.requested_amount_fen),
    coalesce(CASE w.lang WHEN 'zh' THEN '，期限 ' ELSE ', over ' END || so_many_months(l.requested_term_months, w.lang), ''),
    coalesce(on_day(l.decide_by, w.lang), ''),
    coalesce(r.reasons, '- ' || w.no_reason),
    coalesce(r.changes, ''),
    k.text,
    coalesce(o.offers, ''),
    coalesce(o.offer_costs, ''),
    coalesce(in_yuan(l.amount_fen), ''),
    coalesce(in_yuan(l.requested_amount_fen - l.amount_fen), ''),
    coalesce(so_many_months(l.term_months, w.lang), ''),
    coalesce(in_percent(l.annual_rate), ''),
    coalesce(in_percent(l.all_in_annual_cost), ''),
    coalesce(in_yuan(l.monthly_payment_fen), ''),
    coalesce(on_day(f.first_due, w.lang), ''),
    coalesce(c.text, ''),
    on_day(CAST(getvariable('valid_until') AS DATE), w.lang),
    coalesce(a.text, '')
  )                                                                                                AS text
FROM these l
CROSS JOIN words w
JOIN templates t ON t.kind = l.kind AND t.mask = l.mask AND t.lang = w.lang
JOIN product_words p ON p.product = l.product AND p.lang = w.lang
JOIN looked_at k ON k.application_id = l.application_id AND k.lang = w.lang
LEFT JOIN told r ON r.application_id = l.application_id AND r.lang = w.lang
LEFT JOIN choices o ON o.application_id = l.application_id AND o.lang = w.lang
LEFT JOIN costs a ON a.application_id = l.application_id AND a.lang = w.lang AND a.offer_no = 0
LEFT JOIN conditions c ON c.application_id = l.application_id AND c.lang = w.lang
LEFT JOIN first_dues f ON f.application_id = l.application_id;
