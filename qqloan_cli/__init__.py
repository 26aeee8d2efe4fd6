"""qqloan: underwriting for high-amount consumer loans, from the shell."""

__version__ = "0.1.0"
