"""configs/ as models: effective dates, rules compiled to SQL, tables for the stages."""
