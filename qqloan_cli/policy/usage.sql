-- What the rules did in a run.
-- reads     said (rules_hit, rules_unknown, decision, n: each combination of answers that occurs, and how often), rule_book (code, effect, rank)
-- grain     rule
CREATE OR REPLACE TEMP TABLE usage AS
WITH everybody AS (
  SELECT sum(n) AS applications FROM said
), hit AS (
  SELECT s.rowid AS combination, s.rules_hit, s.n, unnest(s.rules_hit) AS code FROM said s
), deciding AS (  -- beside it no other hit of its effect, or a weightier one
  SELECT h.code, any_value(h.n) AS n, count(o.code) = 0 AS alone
  FROM hit h JOIN rule_book m USING (code) LEFT JOIN rule_book o ON o.code <> h.code AND o.weight <= m.weight AND list_contains(h.rules_hit, o.code)
  GROUP BY h.code, h.combination
), counts AS (
  SELECT code, sum(n) AS hits, sum(n) FILTER (alone) AS alone FROM deciding GROUP BY code
), left_open AS (
  SELECT code, sum(n) AS unknown FROM (SELECT unnest(rules_unknown) AS code, n FROM said) GROUP BY code
), pairs AS (
  SELECT h.code, o.code AS other, sum(h.n) AS together
  FROM hit h JOIN rule_book o ON o.code <> h.code AND list_contains(h.rules_hit, o.code)
  GROUP BY h.code, o.code
), beside AS (
  SELECT p.code, p.other, p.together, c.hits, o.hits AS other_hits, m.weight, b.weight AS other_weight, m.rank, b.rank AS other_rank
  FROM pairs p JOIN counts c USING (code) JOIN counts o ON o.code = p.other JOIN rule_book m USING (code) JOIN rule_book b ON b.code = p.other
)
SELECT
  b.code, b.effect,
  CAST(coalesce(c.hits, 0) AS BIGINT)                                            AS hits,
  round(coalesce(c.hits, 0) / greatest(e.applications, 1), 6)                    AS share,
  CAST(coalesce(c.alone, 0) AS BIGINT)                                           AS alone,
  CAST(coalesce(u.unknown, 0) AS BIGINT)                                         AS left_open,
  CASE WHEN coalesce(c.hits, 0) = 0 THEN 'never' WHEN c.hits = e.applications THEN 'always'
    WHEN s.codes IS NOT NULL THEN 'shadowed' ELSE '' END                         AS finding,
  coalesce(s.codes, [])                                                          AS shadowed_by,
  v.other                                                                        AS overlaps_most,
  round(v.together / v.hits, 4)                                                      AS overlap_share
FROM rule_book b
CROSS JOIN everybody e
LEFT JOIN counts c USING (code)
LEFT JOIN left_open u USING (code)
-- Wherever it hits, one of at least its weight that comes before it hits too: it decides nothing.
LEFT JOIN (
  SELECT code, list(other ORDER BY other_rank) AS codes FROM beside WHERE together = hits AND other_weight <= weight AND other_rank < rank GROUP BY code
) s USING (code)
LEFT JOIN (
  SELECT code, arg_min(other, (-together, other_rank)) AS other, max(together) AS together, any_value(hits) AS hits FROM beside GROUP BY code
) v USING (code)
ORDER BY b.rank;
