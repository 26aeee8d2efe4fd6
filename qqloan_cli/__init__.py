"""qqloan: underwriting for high-amount consumer loans, from the shell; ``open_run`` looks at what it left from a notebook."""

__version__ = "0.1.0"


def open_run(run, *more, book=None, at=None):
    """A run to look at, read-only: ``.sql(...)``, ``.table(name)``, ``.figure(name)``, ``.con`` (notebook/opened.py). ``more``: other runs,
    held against or shown beside it; ``book``: a book of loans, seen on ``at`` (a date, default: its last closed day). Raises UsageError
    where there is no run or book."""
    from qqloan_cli.notebook.opened import Opened

    return Opened([run, *more], book, at)
