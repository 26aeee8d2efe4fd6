-- grain:    one of the five classes
-- inputs:   classes (servicing/portfolio.sql)
-- leaves:   class, loans, principal_fen, share_of_principal, provision_fen
SELECT class, loans, principal_fen, share_of_principal, provision_fen FROM classes
