-- The graph by number, and who asks what of it. grain: edge.
-- reads: social_edges, edge_kinds, graph_rules (one row), everyone, outcomes.
-- writes: nodes (node, k), edges_by_number, asking (n, k), known_outcomes (k, known, bad). Days count from 1900-01-01; 2147483647: never.
-- A node's number k decides nothing: every measure is the same whatever the numbering.

CREATE OR REPLACE TEMP VIEW ties_of_people AS
SELECT src, dst, k.tie, k.both_ways, k.money,
  CAST(greatest(0, coalesce(date_diff('day', DATE '1900-01-01', e.since), 0)) AS INTEGER) AS day
FROM social_edges AS e JOIN edge_kinds AS k ON k.kind = coalesce(e.kind, 'friend')
WHERE (k.tie OR k.money) AND src <> dst AND (coalesce(e.weight, 1) >= 0 OR (SELECT keep_negative FROM graph_rules));

CREATE OR REPLACE TEMP TABLE all_nodes AS
SELECT src AS node FROM ties_of_people UNION SELECT dst FROM ties_of_people;
CREATE OR REPLACE TEMP VIEW nodes AS SELECT CAST(rowid AS INTEGER) AS k, node FROM all_nodes;

-- an end at a time: the names of both ends' nodes at once would be most of a gather's memory
CREATE OR REPLACE TEMP TABLE edges_from AS
SELECT s.k AS source, t.dst, t.tie, t.both_ways, t.money, t.day FROM ties_of_people AS t JOIN nodes AS s ON s.node = t.src;
CREATE OR REPLACE TEMP TABLE edges_by_number AS
SELECT f.source, d.k AS target, f.tie, f.both_ways, f.money, f.day FROM edges_from AS f JOIN nodes AS d ON d.node = f.dst;
DROP TABLE edges_from;

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
