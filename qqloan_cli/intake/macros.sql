-- What a mapping may call besides DuckDB's own functions, and what intake mends with. Pure: a text in, a value or NULL out.
-- Listed for the writers of mappings at the head of mapping.py.
-- CASE, never coalesce, stands before what is dear: DuckDB evaluates all of a coalesce for every row.

-- Full-width letters, digits and signs as half-width ones.
CREATE OR REPLACE MACRO half_width(x) AS CASE WHEN strlen(CAST(x AS VARCHAR)) = length(CAST(x AS VARCHAR)) THEN CAST(x AS VARCHAR) ELSE
  translate(CAST(x AS VARCHAR), '！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～　', '!"#$%&''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~ ') END;

-- Without blanks at the ends (tabs, no-break and full-width blanks, a BOM too); NULL where nothing is left.
CREATE OR REPLACE MACRO tidy(x) AS nullif(trim(CAST(x AS VARCHAR), ' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(12288) || chr(65279) || chr(8203)), '');

-- Without any blank at all.
CREATE OR REPLACE MACRO closed_up(x) AS nullif(regexp_replace(CAST(x AS VARCHAR), '[\s\x{00a0}\x{3000}\x{feff}\x{200b}]+', '', 'g'), '');

-- Digits alone: '36 months' is '36'.
CREATE OR REPLACE MACRO digits(x) AS nullif(regexp_replace(half_width(x), '[^0-9]', '', 'g'), '');

-- A file's name without folders and endings.
CREATE OR REPLACE MACRO stem(x) AS regexp_replace(regexp_replace(x, '^.*/', ''), '([.](csv|tsv|txt|asc|dat|xlsx|xls|jsonl|ndjson|json|parquet|gz|zip))+$', '', 'i');

-- Words for a missing value where a number or a date should stand.
CREATE OR REPLACE MACRO is_missing(x) AS CASE WHEN strlen(CAST(x AS VARCHAR)) > 8 THEN false
  ELSE coalesce(lower(tidy(x)) IN ('null', 'none', 'na', 'n/a', '#n/a', 'nan', 'nat', '-', '--', '—', '/', '\n', '无', '空'), true) END;

-- The parts of an amount in text: [1] sign or bracket in front, [2] currency, [3] sign behind the currency, [4] the figure, [5] what follows.
CREATE OR REPLACE MACRO amount_parts(x) AS regexp_extract(
  replace(upper(translate(closed_up(half_width(x)), '−–—‒﹣₋', '------')), '￥', '¥'),
  '^([(+-]?)(?:(CNY|RMB|¥|HK\$|US\$|\$|元|人民币)([+-]?))?([0-9]+(?:[.][0-9]*)?|[0-9]{1,3}(?:,[0-9]{3})+(?:[.][0-9]*)?|[.][0-9]+)(?:元|CNY|RMB)?([)]|-|CR|DR|[+])?$',
  ['before', 'currency', 'between', 'figure', 'after']);

-- An amount in text as DECIMAL: thousands commas, full-width, currency signs and words, a minus of any kind before or behind,
-- brackets, CR and DR. NULL where it is not understood, or its signs contradict each other.
CREATE OR REPLACE MACRO yuan_of_parts(p) AS CASE
  WHEN p.figure = '' OR (p.before = '(') <> (p.after = ')') THEN NULL
  WHEN (p.before <> '')::INT + (p.between <> '')::INT + (p.after NOT IN ('', ')'))::INT > 1 THEN NULL
  WHEN p.before IN ('-', '(') OR p.between = '-' OR p.after IN ('-', 'DR') THEN -TRY_CAST(replace(p.figure, ',', '') AS DECIMAL(18, 2))
  ELSE TRY_CAST(replace(p.figure, ',', '') AS DECIMAL(18, 2)) END;
CREATE OR REPLACE MACRO yuan(x) AS CASE
  WHEN regexp_full_match(CAST(x AS VARCHAR), '[+-]?[0-9]+([.][0-9]+)?') THEN TRY_CAST(x AS DECIMAL(18, 2))
  ELSE yuan_of_parts(amount_parts(x)) END;

-- A date or time in text: 2024-03-01, 2024/3/1, 2024.3.1, 2024年3月1日, 20240301, each with a time or without, a spreadsheet's
-- serial number, 1-Mar-2024. Day and month in figures in another order are not guessed: NULL.
CREATE OR REPLACE MACRO as_written(x) AS trim(regexp_replace(regexp_replace(half_width(x), '\s+', ' ', 'g'),
  '^([0-9]{4}) ?[-/.年] ?([0-9]{1,2}) ?[-/.月] ?([0-9]{1,2}) ?[日号]? ?T?', '\1-\2-\3 '));
CREATE OR REPLACE MACRO moment_of_text(t) AS
  CASE WHEN regexp_full_match(t, '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?') THEN TRY_CAST(t AS TIMESTAMP)
       WHEN regexp_full_match(t, '[0-9]{8}') THEN try_strptime(t, '%Y%m%d')
       WHEN regexp_full_match(t, '[0-9]{8}[ T]?[0-9]{6}') THEN try_strptime(regexp_replace(t, '[ T]', ''), '%Y%m%d%H%M%S')
       WHEN regexp_full_match(t, '[0-9]{8} [0-9]{2}:[0-9]{2}:[0-9]{2}') THEN try_strptime(t, '%Y%m%d %H:%M:%S')
       WHEN regexp_full_match(t, '[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}') THEN try_strptime(t, '%d-%b-%Y')
       WHEN regexp_full_match(t, '[2-7][0-9]{4}') THEN TIMESTAMP '1899-12-30' + to_days(TRY_CAST(t AS INTEGER)) END;
CREATE OR REPLACE MACRO moment(x) AS CASE
  WHEN regexp_full_match(tidy(x), '[2-7][0-9]{4}[.][0-9]+') THEN TIMESTAMP '1899-12-30' + to_seconds(round(TRY_CAST(tidy(x) AS DOUBLE) * 86400))
  ELSE moment_of_text(as_written(tidy(x))) END;
CREATE OR REPLACE MACRO day_of(x) AS CAST(moment(x) AS DATE);
-- The first day of a month: 2024-03, 202403, 2024年3月, or any date in it.
CREATE OR REPLACE MACRO month_of(x) AS CAST(date_trunc('month', CASE
  WHEN regexp_full_match(half_width(tidy(x)), '[12][0-9]{3} ?[-/.年]? ?(0?[1-9]|1[0-2]) ?月?')
  THEN make_timestamp(TRY_CAST(digits(x)[1:4] AS BIGINT), TRY_CAST(digits(x)[5:] AS BIGINT), 1, 0, 0, 0)
  ELSE moment(x) END) AS DATE);

-- A whole number in text: 1,200; 36个月; 36期; 12.0. NULL for 12.5.
CREATE OR REPLACE MACRO whole(x) AS TRY_CAST(replace(regexp_extract(closed_up(half_width(x)), '^([+-]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+))(?:[.]0*)?(?:个月|月|期|天|次|人|(?i:months?|days?))?$', 1), ',', '') AS BIGINT);

-- Yes or no. NULL where it is neither.
CREATE OR REPLACE MACRO yes_no(x) AS CASE
  WHEN lower(tidy(half_width(x))) IN ('1', '1.0', 'true', 't', 'y', 'yes', '是', '有', '真') THEN true
  WHEN lower(tidy(half_width(x))) IN ('0', '0.0', 'false', 'f', 'n', 'no', '否', '无', '没有', '假', '不是') THEN false END;

-- male, female; NULL for not known (GB/T 2261.1: 1 male, 2 female, 0 and 9 not known); any other word as it is.
CREATE OR REPLACE MACRO sex(x) AS CASE
  WHEN lower(tidy(half_width(x))) IN ('male', 'm', '男', '男性', '先生', '1', '1.0') THEN 'male'
  WHEN lower(tidy(half_width(x))) IN ('female', 'f', '女', '女性', '女士', '2', '2.0') THEN 'female'
  WHEN lower(tidy(half_width(x))) IN ('0', '9', 'unknown', 'u', '未知', '未说明', '不详', 'null', 'none', 'na', 'n/a', '-', '/') THEN NULL
  ELSE lower(tidy(half_width(x))) END;

-- An identifier that a spreadsheet kept as a number: scientific notation, or more digits than a number keeps, with a fraction.
CREATE OR REPLACE MACRO was_number(x) AS CASE
  WHEN contains(CAST(x AS VARCHAR), 'E') OR contains(CAST(x AS VARCHAR), 'e') OR contains(CAST(x AS VARCHAR), '.') OR strlen(CAST(x AS VARCHAR)) <> length(CAST(x AS VARCHAR)) THEN regexp_full_match(closed_up(half_width(x)), '[+-]?[0-9]([.,][0-9]*)?[eE][+]?[0-9]+|[0-9]{16,}[.][0-9]*')
  ELSE false END;
-- An identifier's characters: half-width, upper case, no blanks; '.0' behind at most 15 digits is a number that lost nothing.
CREATE OR REPLACE MACRO identifier(x) AS CASE WHEN regexp_full_match(CAST(x AS VARCHAR), '[0-9A-Z]+') THEN CAST(x AS VARCHAR) ELSE upper(regexp_replace(closed_up(half_width(x)), '^([0-9]{1,15})[.]0+$', '\1')) END;
-- A phone or card: as identifier, and without hyphens, brackets, dots and the country's +86.
CREATE OR REPLACE MACRO number_text(x) AS CASE WHEN regexp_full_match(CAST(x AS VARCHAR), '1[0-9]{10}|[1-79][0-9]{11,}') THEN CAST(x AS VARCHAR) ELSE regexp_replace(regexp_replace(identifier(x), '[()\x{2010}-\x{2015}.-]', '', 'g'), '^([+]|00)?86(1[0-9]{10})$', '\2') END;

-- A value with all but its outline masked: a long number keeps its first six and last four characters, all else nothing.
CREATE OR REPLACE MACRO mask(x) AS CASE
  WHEN regexp_full_match(tidy(CAST(x AS VARCHAR)), '[0-9A-Za-z]{15,}') THEN left(tidy(x), 6) || repeat('*', length(tidy(x)) - 10) || right(tidy(x), 4)
  ELSE regexp_replace(left(tidy(CAST(x AS VARCHAR)), 40), '[\p{L}\p{N}\p{M}]', '*', 'g') END;
