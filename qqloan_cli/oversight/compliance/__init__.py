"""Every rule of configs/regulation/ held against runs and books: a query a topic, which finds the rows that break it."""
