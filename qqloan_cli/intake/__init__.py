"""The outside world: formats, encodings, mappings, checks, quarantine, bucketing."""
