"""``python -m qqloan_cli`` is ``qqloan``."""

from qqloan_cli.app import entry

if __name__ == "__main__":
    entry()
