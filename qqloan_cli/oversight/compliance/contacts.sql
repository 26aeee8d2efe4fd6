-- grain:    a contact and a rule on contacts that it broke, in the book's last year
-- inputs:   breaches (servicing/collect/check.py), rules
-- leaves:   rule, made_in, subject (the contact), on_date, found, allowed, amount_fen, breaks
SELECT rules.rule, 'book' AS made_in, breaches.contact_id AS subject, CAST(begun_at AS DATE) AS on_date, 1.0 AS found, 0.0 AS allowed, CAST(NULL AS BIGINT) AS amount_fen, true AS breaks
FROM breaches JOIN rules USING (rule)
WHERE breaches.breach NOT IN ('may-be-erased', 'numbering-gap')
