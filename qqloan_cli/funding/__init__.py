"""Sources, the linear programme, spreading to loans, tranches, liquidity."""
