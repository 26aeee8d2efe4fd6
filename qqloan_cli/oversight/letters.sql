-- How letters write what is in tables: fen as yuan, a share in percent, a day, a term, a masked number. Macros of notices.sql and adverse.sql.

CREATE OR REPLACE TEMP MACRO in_yuan(fen) AS format('{:,}.{:02d}', CAST(fen AS BIGINT) // 100, CAST(fen AS BIGINT) % 100);
CREATE OR REPLACE TEMP MACRO in_percent(share) AS
  regexp_replace(CAST(CAST(CAST(share AS DECIMAL(12,6)) * 100 AS DECIMAL(12,4)) AS VARCHAR), '\.?0+$', '') || '%';
CREATE OR REPLACE TEMP MACRO on_day(day, lang) AS CASE lang WHEN 'zh' THEN strftime(day, '%Y年%-m月%-d日') ELSE strftime(day, '%-d %B %Y') END;
CREATE OR REPLACE TEMP MACRO so_many_months(n, lang) AS CAST(n AS VARCHAR) || CASE WHEN lang = 'zh' THEN '个月' ELSE CASE WHEN n = 1 THEN ' month' ELSE ' months' END END;
-- Of an identity number what its owner knows it by; of a short one nothing. No letter that Markdown takes for a sign of its own.
CREATE OR REPLACE TEMP MACRO masked_id(id) AS
  CASE WHEN id IS NULL THEN '' WHEN length(id) >= 12 THEN concat(left(id, 3), repeat('X', length(id) - 7), right(id, 4)) ELSE 'XXX' END;
CREATE OR REPLACE TEMP MACRO as_name(name) AS coalesce(trim(regexp_replace(name, '[^\p{L}\p{M}\p{N} .·''-]', '', 'g')), '');
