-- grain:    one row per application
-- inputs:   applicants, verify, income, credit, social: one bucket of each
-- contract: application_id, applicant_id, applied_at, and then one FLOAT column per feature of features.toml.
--           Features are expressions over these five tables, read, checked and added to this select by
--           scoring/features.py. A stage's table has nothing later than the application's own date, so neither has a feature.
SELECT
  applicants.application_id AS application_id,
  applicants.applicant_id   AS applicant_id,
  applicants.applied_at     AS applied_at
FROM applicants
LEFT JOIN verify ON verify.application_id = applicants.application_id
LEFT JOIN income ON income.application_id = applicants.application_id
LEFT JOIN credit ON credit.application_id = applicants.application_id
LEFT JOIN social ON social.application_id = applicants.application_id
