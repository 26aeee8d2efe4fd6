"""The risk reserve pool of a book: its history, what it may come to pay, and the liquidity ladder (qqloan reserve)."""
