-- Every application whose keys are comparable: this batch and, where there is one, its history.
-- grain: application. reads: keys (with bucket), history_keys, history_decisions.
-- writes: everyone (n numbers applications within this session alone; nothing kept depends on it).
CREATE OR REPLACE TEMP TABLE all_applications AS
WITH earlier AS (  -- an application that stands in the batch is not its own history; decided twice, the later run counts
  SELECT h.*, d.decision, d.amount_fen, d.term_months
  FROM history_keys AS h
  LEFT JOIN history_decisions AS d USING (run_no, application_id)
  WHERE h.application_id NOT IN (SELECT application_id FROM keys)
  QUALIFY row_number() OVER (PARTITION BY h.application_id ORDER BY h.run_day DESC, h.run_no DESC) = 1
)
SELECT
  *,
  CAST(date_diff('day', DATE '1900-01-01', CAST(applied_at AS DATE)) AS INTEGER) AS day
FROM (
  SELECT true AS in_batch, bucket, application_id, applicant_id, applied_at, id_hash, phone_hash, card_hash, device_hash, contact_hash,
    CAST(NULL AS DATE) AS run_day, CAST(NULL AS VARCHAR) AS decision, CAST(NULL AS BIGINT) AS amount_fen, CAST(NULL AS INTEGER) AS term_months
  FROM keys
  UNION ALL BY NAME
  SELECT false AS in_batch, CAST(NULL AS USMALLINT) AS bucket, application_id, applicant_id, applied_at, id_hash, phone_hash, card_hash, device_hash,
    contact_hash, run_day, decision, amount_fen, term_months
  FROM earlier
);

CREATE OR REPLACE TEMP VIEW everyone AS SELECT rowid AS n, * FROM all_applications;
