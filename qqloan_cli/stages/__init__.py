"""One stage a pair: income.py beside income.sql."""
