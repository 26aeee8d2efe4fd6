-- The letters of adverse.sql, of some places. Leaves notices (contract). Variables as there, and from_place, to_place.

CREATE OR REPLACE TEMP VIEW notices AS
SELECT
  l.application_id, l.loan_id, l.applicant_id, 'adverse' AS kind, w.lang,
  CAST(getvariable('dated') AS DATE)                                                               AS dated,
  format(t.text,
    as_name(l.name),
    masked_id(l.id_number),
    coalesce(p.title, l.product),
    on_day(CAST(getvariable('dated') AS DATE), w.lang),
    l.application_id,
    l.loan_id,
    CAST(l.dpd AS VARCHAR),
    on_day(l.oldest_due_date, w.lang),
    in_yuan(l.owed_fen),
    concat(w.owed_head, chr(10),
      concat('| ', w.owed_principal, ' | ', in_yuan(l.principal_due_fen), ' |', chr(10)),
      concat('| ', w.owed_interest, ' | ', in_yuan(l.interest_fen), ' |', chr(10)),
      CASE WHEN l.penalty_fen > 0 THEN concat('| ', w.owed_penalty, ' | ', in_yuan(l.penalty_fen), ' |', chr(10)) END,
      CASE WHEN l.fees_fen > 0 THEN concat('| ', w.owed_fees, ' | ', in_yuan(l.fees_fen), ' |', chr(10)) END,
      concat('| **', w.owed_total, '** | **', in_yuan(l.owed_fen), '** |')),
    on_day(CAST(getvariable('pay_by') AS DATE), w.lang)
  )                                                                                                AS text
FROM late l
CROSS JOIN words w
JOIN templates t ON t.kind = 'adverse' AND t.mask = l.mask AND t.lang = w.lang
LEFT JOIN product_words p ON p.product = l.product AND p.lang = w.lang
WHERE l.place >= getvariable('from_place') AND l.place < getvariable('to_place');
