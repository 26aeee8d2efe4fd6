-- grain:    a scenario of the pool's next twelve months
-- inputs:   reserve_outlook (servicing/reserve/project.py: summary)
-- leaves:   scenario, and of the summary what a committee asks first
SELECT * FROM reserve_outlook
