-- grain:    a stage
-- inputs:   stages (servicing/portfolio.sql)
-- leaves:   stage, loans, ead_fen, pd, lgd, expected_loss_fen
SELECT stage, loans, ead_fen, pd, lgd, expected_loss_fen FROM stages
