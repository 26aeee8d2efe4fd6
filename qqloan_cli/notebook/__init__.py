"""Runs and books in a notebook, read-only: ``opened.py`` what ``qqloan_cli.open_run`` gives, ``example.ipynb`` a walk with it."""
