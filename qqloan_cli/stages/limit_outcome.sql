-- limit, second part: what the rules said, and which offers need a price.
--
-- reads     ruled (hits and unknowns as bits, made by policy/rules.py), rule_book, carried, known
-- leaves    said       one row for each answer of all rules together that occurs in the bucket
--           waterfall  one row an application, with what rules and waterfall make of it
--           wanted     one row for each application that nothing but its price can stop

CREATE OR REPLACE TEMP TABLE said AS
WITH answers AS (
  SELECT DISTINCT hits, unknowns FROM ruled
), spoken AS (
  -- A rule that is true speaks with its own code; one that a missing value leaves open, with the reason it has for that.
  SELECT a.hits, a.unknowns, r.rank, r.code, r.effect, r.refer_to, r.explained_by
  FROM answers a JOIN rule_book r ON (a.hits & r.bit) <> 0
  UNION ALL
  SELECT a.hits, a.unknowns, r.rank, r.unknown_reason, r.unknown, r.refer_to, r.explained_by
  FROM answers a JOIN rule_book r ON (a.unknowns & r.bit) <> 0 AND r.unknown <> 'pass'
), said_once AS (
  SELECT hits, unknowns, code, effect, min(rank) AS rank FROM spoken GROUP BY hits, unknowns, code, effect
), weighed AS (
  SELECT
    hits, unknowns,
    list(code ORDER BY rank) FILTER (effect = 'decline')                         AS declines,
    list(code ORDER BY rank) FILTER (effect = 'refer')                           AS refers,
    list(code ORDER BY rank) FILTER (effect = 'note')                            AS notes
  FROM said_once GROUP BY hits, unknowns
), voiced AS (
  SELECT
    hits, unknowns,
    list(refer_to ORDER BY rank) FILTER (effect = 'refer')                       AS desks,
    -- The stages whose own reasons stand beside the rules' that decided.
    coalesce(bool_or(explained_by = 'verify' AND effect = 'decline'), false)     AS verify_declines,
    coalesce(bool_or(explained_by = 'verify' AND effect = 'refer'), false)       AS verify_refers,
    coalesce(bool_or(explained_by = 'score' AND effect = 'decline'), false)      AS score_declines,
    coalesce(bool_or(explained_by = 'score' AND effect = 'refer'), false)        AS score_refers,
    coalesce(bool_or(explained_by = 'income' AND effect = 'decline'), false)     AS income_declines,
    coalesce(bool_or(explained_by = 'income' AND effect = 'refer'), false)       AS income_refers
  FROM spoken GROUP BY hits, unknowns
), listed AS (
  SELECT
    a.hits, a.unknowns,
    list(r.code ORDER BY r.rank) FILTER ((a.hits & r.bit) <> 0)                  AS rules_hit,
    list(r.code ORDER BY r.rank) FILTER ((a.unknowns & r.bit) <> 0)              AS rules_unknown
  FROM answers a CROSS JOIN rule_book r GROUP BY a.hits, a.unknowns
)
SELECT
  l.hits, l.unknowns,
  coalesce(l.rules_hit, [])                                                      AS rules_hit,
  coalesce(l.rules_unknown, [])                                                  AS rules_unknown,
  coalesce(w.declines, [])                                                       AS declines,
  coalesce(w.refers, [])                                                         AS refers,
  coalesce(w.notes, [])                                                          AS notes,
  v.desks[1]                                                                     AS desk,
  coalesce(v.verify_declines, false) AS verify_declines, coalesce(v.verify_refers, false) AS verify_refers,
  coalesce(v.score_declines, false) AS score_declines,   coalesce(v.score_refers, false) AS score_refers,
  coalesce(v.income_declines, false) AS income_declines, coalesce(v.income_refers, false) AS income_refers
FROM listed l
LEFT JOIN weighed w USING (hits, unknowns)
LEFT JOIN voiced v USING (hits, unknowns);

-- Where a person has approved and the offer fails only with social evidence, it is left out.
CREATE OR REPLACE TEMP TABLE without_social AS
SELECT w.place
FROM carried w JOIN carried o USING (place) JOIN known k USING (place)
WHERE w.with_social AND NOT o.with_social AND k.person_said = 'approve' AND w.offered_fen < w.amount_min_fen AND o.offered_fen >= o.amount_min_fen;

CREATE OR REPLACE TEMP TABLE waterfall AS
SELECT
  w.* EXCLUDE (with_social),
  r.hits, r.unknowns,
  CASE
    WHEN len(s.declines) > 0 THEN 'declined-by-rule'
    WHEN k.person_said = 'decline' THEN 'declined-by-person'
    WHEN len(s.refers) > 0 AND k.person_said IS NULL THEN 'referred'
    WHEN w.offered_fen >= w.amount_min_fen THEN 'offer'
    -- Social evidence alone never declines: where the offer fails only with it, a person decides.
    WHEN o.offered_fen >= w.amount_min_fen THEN 'social-alone'
    ELSE 'below-minimum'
  END                                                                            AS outcome
FROM carried w
JOIN (SELECT place, person_said FROM known) k USING (place)
JOIN ruled r USING (place)
JOIN said s USING (hits, unknowns)
LEFT JOIN (SELECT place, offered_fen FROM carried WHERE NOT with_social) o USING (place)
LEFT JOIN (SELECT place, true AS left_out FROM without_social) x USING (place)
WHERE w.with_social = (x.left_out IS NULL)
ORDER BY place;

CREATE OR REPLACE TEMP TABLE wanted AS
SELECT
  w.place,
  w.offered_fen,
  w.term_months,
  w.rate_ppm,
  k.cost_cap_ppm,
  p.method_code,
  p.place                                                                        AS product_place,
  p.principal_free,
  (w.offered_fen * p.monthly_fee_ppm + 500_000) // 1_000_000                     AS monthly_fee_fen, -- to the nearest fen
  (w.offered_fen * p.upfront_fee_ppm + 500_000) // 1_000_000                     AS upfront_fee_fen
FROM waterfall w
JOIN known k USING (place)
JOIN product_book p ON p.product = w.product
WHERE w.outcome = 'offer';
