-- grain:    what the book may be concentrated in
-- inputs:   concentration (servicing/portfolio.sql)
-- leaves:   concentrated_in, parties, hhi, largest_share, largest
SELECT what AS concentrated_in, parties, hhi, largest_share, largest FROM concentration
