-- Every application whose keys are comparable: this batch and, where there is one, its history.
-- grain: application. reads: keys (with bucket), history_keys, history_decisions.
-- writes: everyone (n numbers applications within this session alone; nothing kept depends on it), hashes (application_id and its
-- keys), past_decisions (n). The hashes are most of what a batch weighs, and few are looked at twice: they stay in their files.
CREATE OR REPLACE TEMP TABLE earlier AS  -- an application that stands in the batch is not its own history; decided twice, the later run counts
SELECT h.*, d.decision, d.amount_fen, d.term_months
FROM history_keys AS h
LEFT JOIN history_decisions AS d USING (run_no, application_id)
WHERE h.application_id NOT IN (SELECT application_id FROM keys)
QUALIFY row_number() OVER (PARTITION BY h.application_id ORDER BY h.run_day DESC, h.run_no DESC) = 1;

CREATE OR REPLACE TEMP VIEW hashes AS
SELECT application_id, id_hash, phone_hash, card_hash, device_hash, contact_hash, least_line_hash, largest_line_hash FROM keys
UNION ALL
SELECT application_id, id_hash, phone_hash, card_hash, device_hash, contact_hash, least_line_hash, largest_line_hash FROM earlier;

CREATE OR REPLACE TEMP TABLE all_applications AS
SELECT *, CAST(date_diff('day', DATE '1900-01-01', CAST(applied_at AS DATE)) AS INTEGER) AS day
FROM (
  SELECT true AS in_batch, bucket, application_id, applicant_id, applied_at FROM keys
  UNION ALL
  SELECT false, CAST(NULL AS USMALLINT), application_id, applicant_id, applied_at FROM earlier
);

CREATE OR REPLACE TEMP VIEW everyone AS SELECT rowid AS n, * FROM all_applications;

CREATE OR REPLACE TEMP TABLE past_decisions AS
SELECT e.n, h.applicant_id, h.id_hash, h.applied_at, h.run_day, h.decision, h.amount_fen, h.term_months
FROM earlier AS h JOIN everyone AS e USING (application_id)
WHERE NOT e.in_batch AND h.decision IS NOT NULL;
