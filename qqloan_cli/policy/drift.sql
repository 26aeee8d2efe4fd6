-- grain:    a feature of the model
-- inputs:   score_bins; $amber, $red. An empty tenth counts as half a row
--           The index is over tenths: the model's bins gathered by the training rows' cumulative share, missing values apart, for which
--           the usual thresholds are meant.
-- contract: feature, csi, severity (amber, red; null: it has not drifted), chance (what the index must pass), missing_share, reference_missing_share, rows, new_bins (tenths that no training row was in).
--           The index must pass what chance alone would give so few rows: three standard deviations above its mean where nothing has
--           shifted, (1/n + 1/m)(B - 1) and that times sqrt(2(B - 1)), for n rows here, m in training and B tenths.
WITH model_bins AS (
  SELECT feature, bin, sum(rows) AS n, any_value(reference_share) AS reference, any_value(reference_rows) AS m, any_value(missing) AS missing
  FROM score_bins
  GROUP BY feature, bin
),
placed AS (
  SELECT
    *,
    sum(reference) FILTER (WHERE NOT missing) OVER (PARTITION BY feature ORDER BY bin) - reference / 2 AS middle,
    sum(reference) FILTER (WHERE NOT missing) OVER (PARTITION BY feature)                              AS known
  FROM model_bins
),
by_bin AS (
  SELECT
    feature, missing, CASE WHEN missing THEN 10 WHEN known > 0 THEN least(CAST(floor(10 * middle / known) AS INTEGER), 9) ELSE 0 END AS bin,
    CAST(sum(n) AS DOUBLE) AS n, sum(reference ORDER BY bin) AS reference, any_value(m) AS m
  FROM placed
  GROUP BY ALL
),
shares AS (
  SELECT *, sum(n) OVER (PARTITION BY feature) AS total FROM by_bin
),
filled AS (
  SELECT *, greatest(n, 0.5) / total AS a, greatest(reference, 0.5 / m) AS e
  FROM shares
  WHERE total > 0 AND (n > 0 OR reference > 0)
),
by_feature AS (
  SELECT
    feature,
    sum((a - e) * ln(a / e) ORDER BY bin)                                      AS csi,
    count(*) - 1                                                               AS degrees,
    1 / any_value(total) + 1 / any_value(m)                                    AS noise,
    COALESCE(max(n / total) FILTER (WHERE missing), 0)                         AS missing_share,
    COALESCE(max(reference) FILTER (WHERE missing), 0)                         AS reference_missing_share,
    CAST(any_value(total) AS BIGINT)                                           AS rows,
    count(*) FILTER (WHERE reference = 0)                                      AS new_bins
  FROM filled
  GROUP BY feature
)
SELECT
  feature, round(csi, 4) AS csi,
  CASE WHEN csi <= noise * (degrees + 3 * sqrt(2 * degrees)) THEN NULL WHEN csi > $red THEN 'red' WHEN csi > $amber THEN 'amber' END AS severity,
  round(noise * (degrees + 3 * sqrt(2 * degrees)), 4) AS chance,
  round(missing_share, 4) AS missing_share, round(reference_missing_share, 4) AS reference_missing_share, rows, new_bins
FROM by_feature
ORDER BY csi DESC, feature
