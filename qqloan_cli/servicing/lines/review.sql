-- grain:    one row per line: what the night decides
-- inputs:   line_figures, scored (line_id, behaviour_pd, behaviour_score, score_reasons), prior (contract line_reviews: the night before, perhaps
--           without rows), refreshed (applicant_id, product, pd, decision, max_amount_fen), steps (product, step_fen), line_rules (bit, rank, code, action, step_ppm);
--           variables state_at, raise_pause, after_adverse, cut_pause, at_most_ppm (of what was approved), share_ppm (of the cap), stopped_by (actions), scored_by,
--           refreshed_by, policy_version; the rules' SELECT stands for /*asked*/
-- leaves:   line_reviews (contract)
--
-- One decision a line, the heaviest that a rule wants and that may be: a line that has expired stays so; a frozen one can only thaw, expire or
-- have a tranche stopped; a limit never falls below what is outstanding and promised; nothing is eased while anything is late, or while a rule
-- that would be adverse is open for want of a value. A borrower's lines together are raised no further than one decision allows.

CREATE OR REPLACE TEMP MACRO in_yuan(fen) AS CAST(CAST(fen AS DECIMAL(18,0)) * CAST(0.01 AS DECIMAL(3,2)) AS DECIMAL(20,2));
CREATE OR REPLACE TEMP MACRO total(fen) AS CAST(coalesce(list_sum(fen), 0) AS BIGINT);
CREATE OR REPLACE TEMP MACRO spelled(fen) AS printf('%d.%02d', fen // 100, fen % 100);

CREATE OR REPLACE TEMP TABLE before_night AS
WITH new_evidence AS (
  SELECT line_id, arg_min(refreshed, (refreshed.product <> f.product, refreshed.application_id)) AS said
  FROM line_figures AS f JOIN refreshed USING (applicant_id) GROUP BY line_id
)
SELECT
  f.*, s.behaviour_pd, s.behaviour_score, s.score_reasons,
  coalesce(p.limit_fen, f.amount_fen)                                                        AS limit_before_fen,
  p.frozen_on, p.unfrozen_on, p.raised_on, p.cut_on, p.expired_on, coalesce(p.stopped, [])   AS stopped_before,
  list_filter(f.promised_ids, lambda id: NOT list_contains(coalesce(p.stopped, []), id))     AS kept_ids,
  total(list_transform(list_filter(list_zip(f.promised_ids, f.promised_fen), lambda one: NOT list_contains(coalesce(p.stopped, []), one[1])), lambda one: one[2])) AS kept_fen,
  n.said.pd AS refresh_pd, n.said.decision AS refresh_decision,
  CASE WHEN n.said.decision IS NOT NULL THEN coalesce(n.said.max_amount_fen, 0) ELSE f.decided_cap_fen END AS cap_fen,
  coalesce(steps.step_fen, 10_000)                                                           AS step_fen
FROM line_figures AS f
LEFT JOIN scored AS s USING (line_id)
LEFT JOIN prior AS p USING (line_id)
LEFT JOIN new_evidence AS n USING (line_id)
LEFT JOIN steps ON steps.product = f.product;

CREATE OR REPLACE TEMP VIEW line_facts AS
SELECT
  line_id, product, region, grade, decision_pd, in_yuan(monthly_income_fen) AS monthly_income, income_confidence, dti,
  CAST(expires_on - getvariable('state_at') AS INTEGER) AS days_to_expiry,
  in_yuan(limit_before_fen) AS line_limit, in_yuan(cap_fen) AS cap, frozen_on IS NOT NULL AS frozen,
  dpd, delinquent_days, written_off, other_dpd, other_written_off, in_yuan(owed_fen) AS owed, in_yuan(outstanding_fen) AS outstanding, in_yuan(kept_fen) AS undrawn,
  clean_months, borrower_clean_months,
  CASE WHEN outstanding_fen > 0 OR kept_fen > 0 THEN 0 ELSE months_since_use END AS idle_months,
  instalments_fallen, months_on_book, worst_dpd_3m, worst_dpd_6m, worst_dpd_12m, months_since_late, months_late_6m, months_late_12m, months_over_30_12m, months_since_over_30,
  paid_late_share, paid_early_share, balance_share, utilisation, agreed_anew, behaviour_pd, behaviour_score, refresh_pd, refresh_decision
FROM before_night;

-- The rules' answers are few different ones: each is put into words once.
CREATE OR REPLACE TEMP TABLE answered AS /*asked*/;
CREATE OR REPLACE TEMP TABLE in_words AS
SELECT
  a.hits, a.unknowns,
  list_distinct(list(r.action) FILTER (r.bit & a.hits <> 0))                                 AS wanted,
  list({'action': r.action, 'code': r.code} ORDER BY r.rank) FILTER (r.bit & a.hits <> 0)    AS hit,
  list(r.code ORDER BY r.rank) FILTER (r.bit & a.unknowns <> 0)                              AS open_codes,
  coalesce(bool_or(r.action IN ('expire', 'freeze', 'stop', 'cut')) FILTER (r.bit & a.unknowns <> 0), false) AS adverse_open,
  max(r.step_ppm) FILTER (r.bit & a.hits <> 0 AND r.action = 'raise')                        AS raise_ppm,
  max(r.step_ppm) FILTER (r.bit & a.hits <> 0 AND r.action = 'cut')                          AS cut_ppm
FROM (SELECT DISTINCT hits, unknowns FROM answered) AS a CROSS JOIN line_rules AS r
GROUP BY a.hits, a.unknowns;

CREATE OR REPLACE TEMP TABLE line_reviews AS
WITH
possible AS (
  SELECT
    b.*, coalesce(w.wanted, []) AS wanted, coalesce(w.hit, []) AS hit, coalesce(w.open_codes, []) AS open_codes,
    outstanding_fen + kept_fen                                                               AS committed_fen,
    coalesce(b.dpd, 1) = 0 AND NOT w.adverse_open                                            AS may_ease,
    least(
      (limit_before_fen * (1_000_000 + w.raise_ppm) // 1_000_000) // step_fen * step_fen,
      least(
        amount_fen * getvariable('at_most_ppm') // 1_000_000, cap_fen * getvariable('share_ppm') // 1_000_000,
        -- All lines of the borrower together stay within what the most generous of their decisions allows.
        limit_before_fen + greatest(max(cap_fen) OVER borrower * getvariable('share_ppm') // 1_000_000 - sum(limit_before_fen) OVER borrower, 0)
      ) // step_fen * step_fen
    )                                                                                        AS raise_to_fen,
    greatest((limit_before_fen * (1_000_000 - w.cut_ppm) // 1_000_000) // step_fen * step_fen, outstanding_fen + kept_fen) AS cut_to_fen,
    coalesce(getvariable('state_at') - raised_on >= getvariable('raise_pause'), true)
      AND coalesce(getvariable('state_at') - greatest(cut_on, unfrozen_on) >= getvariable('after_adverse'), true) AS raise_due,
    coalesce(getvariable('state_at') - cut_on >= getvariable('cut_pause'), true)             AS cut_due
  FROM before_night AS b JOIN answered AS a USING (line_id) LEFT JOIN in_words AS w USING (hits, unknowns)
  WINDOW borrower AS (PARTITION BY applicant_id)
),
weighed AS (
  SELECT
    *,
    CASE
      WHEN expired_on IS NOT NULL THEN 'keep'
      WHEN list_contains(wanted, 'expire') THEN 'expire'
      WHEN frozen_on IS NULL AND list_contains(wanted, 'freeze') THEN 'freeze'
      WHEN frozen_on IS NOT NULL AND may_ease AND list_contains(wanted, 'unfreeze') AND NOT list_contains(wanted, 'freeze') THEN 'unfreeze'
      WHEN list_contains(wanted, 'stop') AND len(kept_ids) > 0 THEN 'stop'
      WHEN frozen_on IS NOT NULL THEN 'keep'
      WHEN list_contains(wanted, 'cut') THEN CASE WHEN cut_due AND cut_to_fen < limit_before_fen THEN 'cut' ELSE 'keep' END
      WHEN list_contains(wanted, 'raise') AND may_ease AND raise_due AND raise_to_fen > limit_before_fen THEN 'raise'
      ELSE 'keep'
    END                                                                                      AS heaviest
  FROM possible
),
decided AS (
  SELECT
    *,
    -- One line of a borrower is raised in a night: the next sees what is left.
    heaviest = 'raise' AND row_number() OVER (PARTITION BY applicant_id, heaviest ORDER BY line_id) > 1 AS waits,
    CASE WHEN waits THEN 'keep' ELSE heaviest END                                            AS action,
    CASE WHEN list_contains(getvariable('stopped_by'), action) THEN kept_ids ELSE [] END      AS stopping,
    CASE WHEN list_contains(getvariable('stopped_by'), action) THEN 0 ELSE kept_fen END       AS undrawn_fen
  FROM weighed
),
moved AS (
  SELECT
    *,
    greatest(CASE action
      WHEN 'raise' THEN raise_to_fen
      WHEN 'cut' THEN cut_to_fen
      WHEN 'stop' THEN limit_before_fen - (kept_fen - undrawn_fen)
      WHEN 'expire' THEN 0
      ELSE limit_before_fen
    END, outstanding_fen + undrawn_fen)                                                      AS limit_fen,
    CASE WHEN action = 'freeze' THEN getvariable('state_at') WHEN action = 'unfreeze' THEN NULL ELSE frozen_on END AS frozen_after,
    CASE WHEN action = 'expire' THEN getvariable('state_at') ELSE expired_on END             AS expired_after
  FROM decided
),
told AS (
  SELECT
    *,
    CASE WHEN frozen_after IS NULL AND expired_after IS NULL THEN limit_fen - outstanding_fen - undrawn_fen ELSE 0 END AS available_fen,
    list_filter([
      CASE WHEN expired_on IS NOT NULL THEN 'LN-EXPIRED' WHEN frozen_on IS NOT NULL THEN 'LN-FROZEN' END,
      CASE WHEN expired_on IS NULL AND frozen_on IS NULL AND len(open_codes) > 0 THEN 'LN-UNKNOWN' END,
      CASE WHEN expired_on IS NULL AND frozen_on IS NULL AND (waits
        OR (list_contains(wanted, 'cut') AND NOT cut_due AND cut_to_fen < limit_before_fen)
        OR (NOT list_contains(wanted, 'cut') AND list_contains(wanted, 'raise') AND may_ease AND NOT raise_due AND raise_to_fen > limit_before_fen)) THEN 'LN-TOO-SOON' END,
      CASE WHEN expired_on IS NULL AND frozen_on IS NULL AND (
        (list_contains(wanted, 'cut') AND cut_to_fen >= limit_before_fen)
        OR (NOT list_contains(wanted, 'cut') AND list_contains(wanted, 'raise') AND may_ease AND raise_to_fen <= limit_before_fen)) THEN 'LN-NO-ROOM' END,
      CASE WHEN limit_fen > limit_before_fen THEN 'LN-HELD' END
    ], lambda code: code IS NOT NULL)                                                        AS kept_because
  FROM moved
)
SELECT
  line_id, applicant_id, getvariable('state_at') AS reviewed_on, action,
  CASE
    WHEN action <> 'keep' THEN list_transform(list_filter(hit, lambda one: one.action = action), lambda one: one.code)
    WHEN len(kept_because) = 0 THEN ['LN-KEPT']
    WHEN expired_on IS NULL AND frozen_on IS NOT NULL THEN list_concat(kept_because, list_transform(list_filter(hit, lambda one: one.action = 'freeze'), lambda one: one.code))
    ELSE kept_because
  END                                                                                        AS reason_codes,
  open_codes                                                                                 AS rules_unknown,
  limit_before_fen, limit_fen, outstanding_fen, undrawn_fen, available_fen,
  frozen_after                                                                               AS frozen_on,
  CASE WHEN action = 'unfreeze' THEN getvariable('state_at') ELSE unfrozen_on END            AS unfrozen_on,
  CASE WHEN action = 'raise' THEN getvariable('state_at') ELSE raised_on END                 AS raised_on,
  CASE WHEN action = 'cut' THEN getvariable('state_at') ELSE cut_on END                      AS cut_on,
  expired_after                                                                              AS expired_on,
  stopping, list_sort(list_concat(stopped_before, stopping))                                 AS stopped,
  CASE WHEN action <> 'keep' THEN action END                                                 AS notice,
  CASE WHEN action <> 'keep' THEN MAP {
    'line': line_id, 'day': strftime(getvariable('state_at'), '%Y-%m-%d'), 'limit_before': spelled(limit_before_fen), 'limit': spelled(limit_fen), 'available': spelled(available_fen)
  } END                                                                                      AS notice_values,
  action IN ('expire', 'freeze', 'stop', 'cut')                                              AS adverse,
  behaviour_pd, behaviour_score, score_reasons, dpd, other_dpd, clean_months, cap_fen,
  CASE WHEN refresh_decision IS NOT NULL THEN getvariable('refreshed_by') END                AS refreshed_by,
  getvariable('scored_by') AS scored_by, getvariable('policy_version') AS policy_version
FROM told;
