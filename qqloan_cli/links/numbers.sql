-- Macros: how an identifier is brought to one form, and its check digits.

-- digit k of n, counted from the right, the last being 0
CREATE OR REPLACE TEMP MACRO digit(n, k) AS (n // CAST(power(10, k) AS UBIGINT)) % 10;

-- check character of the resident ID over its 17 digits (ISO 7064 MOD 11-2)
CREATE OR REPLACE TEMP MACRO mod_11_2(n) AS substr('10X98765432', 1 + CAST((
    digit(n, 16) * 7 + digit(n, 15) * 9 + digit(n, 14) * 10 + digit(n, 13) * 5 + digit(n, 12) * 8 + digit(n, 11) * 4
  + digit(n, 10) * 2 + digit(n, 9) * 1 + digit(n, 8) * 6 + digit(n, 7) * 3 + digit(n, 6) * 7 + digit(n, 5) * 9
  + digit(n, 4) * 10 + digit(n, 3) * 5 + digit(n, 2) * 8 + digit(n, 1) * 4 + digit(n, 0) * 2) % 11 AS BIGINT), 1);

-- half-width, upper case, no blanks; a number of 15 digits becomes the 18 that the same person has today
CREATE OR REPLACE TEMP MACRO plain_id(value) AS upper(replace(trim(value), ' ', ''));
CREATE OR REPLACE TEMP MACRO one_id(value) AS CASE
  WHEN length(value) = 15 AND try_cast(value AS UBIGINT) IS NOT NULL
  THEN concat(left(value, 6), '19', right(value, 9), mod_11_2(try_cast(concat(left(value, 6), '19', right(value, 9)) AS UBIGINT)))
  ELSE value END;

-- digits only; the country's prefix is not part of the number
CREATE OR REPLACE TEMP MACRO one_phone(value) AS CASE
  WHEN length(value) = 13 AND starts_with(value, '861') THEN right(value, 11)
  WHEN length(value) = 15 AND starts_with(value, '00861') THEN right(value, 11)
  ELSE value END;
CREATE OR REPLACE TEMP MACRO digits(value) AS regexp_replace(value, '[^0-9]', '', 'g');

-- an employer's code (GB 32100) is of digits and capitals without I O S V Z, six of them a region's; and the i-th character's value
CREATE OR REPLACE TEMP MACRO well_formed_uscc(code) AS regexp_full_match(code, '[0-9A-HJ-NP-RTUW-Y]{2}[0-9]{6}[0-9A-HJ-NP-RTUW-Y]{10}');
CREATE OR REPLACE TEMP MACRO of_31(code, i) AS strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, i, 1)) - 1;

-- Luhn's sum of a card number of up to 19 digits; it ends in 0 where the number is right
CREATE OR REPLACE TEMP MACRO twice(d) AS 2 * d - CASE WHEN d > 4 THEN 9 ELSE 0 END;
CREATE OR REPLACE TEMP MACRO luhn(n) AS
    digit(n, 0) + twice(digit(n, 1)) + digit(n, 2) + twice(digit(n, 3)) + digit(n, 4) + twice(digit(n, 5)) + digit(n, 6) + twice(digit(n, 7))
  + digit(n, 8) + twice(digit(n, 9)) + digit(n, 10) + twice(digit(n, 11)) + digit(n, 12) + twice(digit(n, 13)) + digit(n, 14) + twice(digit(n, 15))
  + digit(n, 16) + twice(digit(n, 17)) + digit(n, 18);
