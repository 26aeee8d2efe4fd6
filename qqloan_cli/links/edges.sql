-- The graph by number: every pair of nodes that an edge joins, with the first day of each direction. grain: pair a < b.
-- reads: social_edges, edge_kinds, graph_rules (one row), everyone, outcomes.
-- writes: nodes (node, k), pairs, asking (n, k), known_outcomes (k, known, bad). Days count from 1900-01-01; 2147483647: never.
-- A node's number k decides nothing: every measure is the same whatever the numbering.

CREATE OR REPLACE TEMP TABLE ties_of_people AS
SELECT src, dst, k.tie, k.both_ways, k.money,
  CAST(greatest(0, coalesce(date_diff('day', DATE '1900-01-01', e.since), 0)) AS INTEGER) AS day
FROM social_edges AS e JOIN edge_kinds AS k ON k.kind = coalesce(e.kind, 'friend')
WHERE (k.tie OR k.money) AND src <> dst AND (coalesce(e.weight, 1) >= 0 OR (SELECT keep_negative FROM graph_rules));

CREATE OR REPLACE TEMP TABLE all_nodes AS
SELECT src AS node FROM ties_of_people UNION SELECT dst FROM ties_of_people;
CREATE OR REPLACE TEMP VIEW nodes AS SELECT CAST(rowid AS INTEGER) AS k, node FROM all_nodes;

CREATE OR REPLACE TEMP TABLE pairs AS
WITH numbered AS (
  SELECT s.k AS source, d.k AS target, t.tie, t.both_ways, t.money, t.day
  FROM ties_of_people AS t JOIN nodes AS s ON s.node = t.src JOIN nodes AS d ON d.node = t.dst
)
SELECT
  least(source, target)    AS a,
  greatest(source, target) AS b,
  coalesce(min(day) FILTER (tie AND (both_ways OR source < target)), 2147483647)   AS a_to_b,
  coalesce(min(day) FILTER (tie AND (both_ways OR source > target)), 2147483647)   AS b_to_a,
  coalesce(min(day) FILTER (money AND (both_ways OR source < target)), 2147483647) AS money_a_to_b,
  coalesce(min(day) FILTER (money AND (both_ways OR source > target)), 2147483647) AS money_b_to_a
FROM numbered
GROUP BY 1, 2;

DROP TABLE ties_of_people;

CREATE OR REPLACE TEMP TABLE asking AS
SELECT e.n, g.k, e.day,
  CAST(date_diff('day', DATE '1900-01-01', CAST(date_trunc('month', e.applied_at) AS DATE)) AS INTEGER) AS month_day
FROM everyone AS e JOIN nodes AS g ON g.node = e.applicant_id
WHERE e.in_batch;

-- an outcome counts from the day after it was known
CREATE OR REPLACE TEMP TABLE known_outcomes AS
SELECT g.k,
  CAST(min(date_diff('day', DATE '1900-01-01', o.observed_at)) + 1 AS INTEGER) AS known,
  CAST(coalesce(min(date_diff('day', DATE '1900-01-01', o.observed_at)) FILTER (o.bad) + 1, 2147483647) AS INTEGER) AS bad
FROM outcomes AS o JOIN nodes AS g ON g.node = o.applicant_id
WHERE o.bad IS NOT NULL AND o.observed_at IS NOT NULL
GROUP BY g.k;
