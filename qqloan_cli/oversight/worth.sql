-- source worth: what each application got with a source and without it.
--
-- grain     application (moved), source (summed)
-- reads     with_limit, without_limit   contract limit; without_limit has a column source
--           loans_earn   source, side, application_id, interest_fen, funds_fen of what was approved (asking/first_months.py)
--           asked        source, applicant_id, covered: of whom the source knows something
--           prices       source, place, cost_fen, charged
-- variables lgd_ppm
-- leaves    moved, summed
-- Moved is with less without: what the source brings. Expected loss is pd x lgd x amount, by the pd that all sources together give.

CREATE OR REPLACE TEMP TABLE moved AS
WITH best AS (  -- what is known of each with everything
  SELECT application_id, applicant_id, decision, amount_fen, term_months, annual_rate, pd FROM with_limit
),
stood AS (
  SELECT p.source, 'with' AS side, b.*, b.pd AS best_pd FROM best b CROSS JOIN prices p
  UNION ALL BY NAME
  SELECT w.source, 'without' AS side, w.application_id, w.applicant_id, w.decision, w.amount_fen, w.term_months, w.annual_rate, w.pd, b.pd AS best_pd
  FROM without_limit w JOIN best b USING (application_id)
),
earned AS (
  SELECT s.source, s.side, s.application_id, s.applicant_id, s.decision, s.amount_fen, s.term_months, s.annual_rate, s.pd,
    CASE WHEN s.decision = 'approve' THEN s.amount_fen ELSE 0 END                            AS approved_fen,
    coalesce(e.interest_fen - e.funds_fen, 0)                                                AS before_loss_fen,
    CASE WHEN s.decision = 'approve' THEN CAST(round(s.best_pd * s.amount_fen * (getvariable('lgd_ppm') / 1000000.0)) AS BIGINT) ELSE 0 END AS loss_fen
  FROM stood s LEFT JOIN loans_earn e USING (source, side, application_id)
)
SELECT
  a.source, a.application_id, a.applicant_id,
  a.decision                                                                                 AS with_decision,
  b.decision                                                                                 AS without_decision,
  a.pd                                                                                       AS with_pd,
  b.pd                                                                                       AS without_pd,
  a.approved_fen                                                                             AS with_fen,
  b.approved_fen                                                                             AS without_fen,
  a.loss_fen                                                                                 AS with_loss_fen,
  b.loss_fen                                                                                 AS without_loss_fen,
  a.before_loss_fen - a.loss_fen                                                             AS with_margin_fen,
  b.before_loss_fen - b.loss_fen                                                             AS without_margin_fen,
  a.decision <> b.decision                                                                   AS decision_changed,
  a.decision = 'approve' AND b.decision = 'approve'
    AND (a.amount_fen, a.term_months, a.annual_rate) IS DISTINCT FROM (b.amount_fen, b.term_months, b.annual_rate) AS terms_changed
FROM (SELECT * FROM earned WHERE side = 'with') a
JOIN (SELECT * FROM earned WHERE side = 'without') b USING (source, application_id);

CREATE OR REPLACE TEMP TABLE summed AS
WITH covered AS (
  SELECT a.source, count(*) AS applicants, count(*) FILTER (a.covered) AS covered
  FROM asked a GROUP BY a.source
),
sums AS (
  SELECT source, count(*) AS applications,
    count(*) FILTER (decision_changed)                                                       AS decisions_changed,
    count(*) FILTER (terms_changed)                                                          AS terms_changed,
    count(*) FILTER (with_decision = 'approve')                                              AS approved_with,
    count(*) FILTER (without_decision = 'approve')                                           AS approved_without,
    count(*) FILTER (with_decision = 'approve' AND without_decision <> 'approve')            AS approved_only_with,
    count(*) FILTER (with_decision <> 'approve' AND without_decision = 'approve')            AS approved_only_without,
    count(*) FILTER (with_decision = 'refer')                                                AS referred_with,
    count(*) FILTER (without_decision = 'refer')                                             AS referred_without,
    CAST(sum(with_fen) AS BIGINT)                                                            AS amount_with_fen,
    CAST(sum(without_fen) AS BIGINT)                                                         AS amount_without_fen,
    CAST(sum(with_loss_fen) AS BIGINT)                                                       AS expected_loss_with_fen,
    CAST(sum(without_loss_fen) AS BIGINT)                                                    AS expected_loss_without_fen,
    CAST(sum(with_margin_fen) AS BIGINT)                                                     AS margin_with_fen,
    CAST(sum(without_margin_fen) AS BIGINT)                                                  AS margin_without_fen
  FROM moved GROUP BY source
),
priced AS (  -- all sources together cost what each of them costs
  SELECT t.source, CAST(sum(CASE WHEN p.charged = 'hit' THEN c.covered ELSE c.applicants END * p.cost_fen) AS BIGINT) AS cost_fen
  FROM parts t JOIN prices p ON p.source = t.part JOIN covered c ON c.source = t.part
  GROUP BY t.source
)
SELECT
  s.source, p.inputs, c.applicants, s.applications, c.covered,
  p.cost_fen                                                                                 AS cost_a_query_fen,
  k.cost_fen,
  s.* EXCLUDE (source, applications),
  s.amount_with_fen - s.amount_without_fen                                                   AS amount_moved_fen,
  s.expected_loss_with_fen - s.expected_loss_without_fen                                     AS expected_loss_moved_fen,
  s.margin_with_fen - s.margin_without_fen                                                   AS margin_moved_fen,
  s.margin_with_fen - s.margin_without_fen - k.cost_fen                                      AS worth_fen
FROM sums s JOIN covered c USING (source) JOIN prices p USING (source) JOIN priced k USING (source)
ORDER BY p.place;

-- A row an applicant: what the source moved for them less what asking about them cost.
CREATE OR REPLACE TEMP VIEW by_applicant AS
WITH cost AS (
  SELECT t.source, a.applicant_id, sum(CASE WHEN p.charged = 'query' OR a.covered THEN p.cost_fen ELSE 0 END) AS cost_fen
  FROM parts t JOIN asked a ON a.source = t.part JOIN prices p ON p.source = t.part
  GROUP BY ALL
),
money AS (
  SELECT source, applicant_id, count(*) AS applications, sum(with_margin_fen - without_margin_fen) AS moved_fen FROM moved GROUP BY ALL
)
SELECT m.source, CAST(m.applications AS BIGINT) AS applications, CAST(m.moved_fen - c.cost_fen AS BIGINT) AS worth_fen
FROM money m JOIN cost c USING (source, applicant_id)
ORDER BY m.source, m.applicant_id;
