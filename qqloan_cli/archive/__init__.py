"""Sealed runs: what an auditor gets, verifies, replays and compares."""
