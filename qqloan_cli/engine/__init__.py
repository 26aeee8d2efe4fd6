"""The machine under the stages: DuckDB sessions, run folders, atomic files, and the map over buckets."""
