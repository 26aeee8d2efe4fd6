-- grain:    outcomes: one row per entry that was followed to its end; by_arm: stage and arm; at_entry: stage, arm and what was known at the entry
-- inputs:   entered, contacted, promises, kept, money, book_loans, costs (compare.sql, promised.sql)
-- leaves:   outcomes, by_arm, tested (stage, arm, of whom: all or first entries), at_entry

CREATE OR REPLACE TEMP TABLE outcomes AS
WITH
came AS (
  SELECT entry, sum(fen) AS fen
  FROM entered JOIN book_loans USING (applicant_id) JOIN money USING (loan_id)
  WHERE followed AND value_date > day AND value_date <= day + CAST(getvariable('days') AS INTEGER) GROUP BY entry
),
done AS (SELECT entry, count(*) AS contacts, count(*) FILTER (WHERE connected) AS connected, CAST(sum(cost_fen) AS BIGINT) AS cost_fen FROM contacted JOIN costs USING (channel) GROUP BY entry),
promised AS (SELECT entry, count(*) AS promises, count(*) FILTER (WHERE promise = 'kept') AS promises_kept FROM promises JOIN kept USING (promise_no) GROUP BY entry)
SELECT
  entered.*, CAST(greatest(least(coalesce(came.fen, 0), owed_fen), 0) AS BIGINT) AS recovered_fen, coalesce(contacts, 0) AS contacts, coalesce(connected, 0) AS connected,
  coalesce(cost_fen, 0) AS cost_fen, coalesce(promises, 0) AS promises, coalesce(promises_kept, 0) AS promises_kept
FROM entered LEFT JOIN came USING (entry) LEFT JOIN done USING (entry) LEFT JOIN promised USING (entry)
WHERE followed;

CREATE OR REPLACE TEMP TABLE by_arm AS
WITH too_recent AS (SELECT stage, arm, count(*) FILTER (WHERE NOT followed) AS too_recent, any_value(stage_no) AS stage_no FROM entered GROUP BY stage, arm),
summed AS (
  SELECT
    stage, arm, count(*) AS entered, CAST(sum(contacts) AS BIGINT) AS contacts, CAST(sum(connected) AS BIGINT) AS connected, CAST(sum(promises) AS BIGINT) AS promises,
    CAST(sum(promises_kept) AS BIGINT) AS promises_kept, count(*) FILTER (WHERE cured) AS cured, CAST(sum(owed_fen) AS BIGINT) AS owed_fen, CAST(sum(recovered_fen) AS BIGINT) AS recovered_fen,
    CAST(sum(cost_fen) AS BIGINT) AS cost_fen
  FROM outcomes GROUP BY stage, arm
)
SELECT
  stage, arm, stage_no, coalesce(entered, 0) AS entered, too_recent, coalesce(contacts, 0) AS contacts, coalesce(connected, 0) AS connected, coalesce(promises, 0) AS promises,
  coalesce(promises_kept, 0) AS promises_kept, coalesce(cured, 0) AS cured, coalesce(owed_fen, 0) AS owed_fen, coalesce(recovered_fen, 0) AS recovered_fen,
  round(recovered_fen / nullif(owed_fen, 0), 6) AS recovered_share, coalesce(cost_fen, 0) AS cost_fen, round(cost_fen / nullif(recovered_fen, 0), 6) AS cost_per_yuan
FROM too_recent LEFT JOIN summed USING (stage, arm);

-- Whole numbers: sums of squares are exact whatever the order.
CREATE OR REPLACE TEMP TABLE tested AS
SELECT
  of_whom, stage, stage_no, arm, count(*) AS n, count(*) FILTER (WHERE cured) AS cured,
  CAST(sum(recovered_fen) AS HUGEINT) AS total, CAST(sum(CAST(recovered_fen AS HUGEINT) * recovered_fen) AS HUGEINT) AS squares
FROM outcomes JOIN (VALUES ('every', false), ('first', true)) AS taken(of_whom, first_only) ON is_first OR NOT first_only
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE at_entry AS
WITH known AS (
  SELECT stage, stage_no, arm, unnest([
    {'what': 'owed_fen', 'value': owed_fen}, {'what': 'principal_fen', 'value': principal_fen}, {'what': 'annual_rate_ppm', 'value': annual_rate_ppm}, {'what': 'pd_ppm', 'value': pd_ppm},
    {'what': 'days_on_book', 'value': CAST(days_on_book AS BIGINT)}]) AS one
  FROM outcomes
)
SELECT stage, stage_no, arm, one.what AS what, count(*) AS n, CAST(sum(one.value) AS HUGEINT) AS total, CAST(sum(CAST(one.value AS HUGEINT) * one.value) AS HUGEINT) AS squares FROM known GROUP BY ALL;
