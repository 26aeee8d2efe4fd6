"""Renderings of results for people and machines. Called by commands alone; computes nothing that decides."""
