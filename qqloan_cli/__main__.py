"""``python -m qqloan_cli`` is ``qqloan``."""

from qqloan_cli.app import main

if __name__ == "__main__":
    main()
