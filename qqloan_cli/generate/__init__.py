"""A coherent synthetic lender: people, money, ties, faults and the truth beside them."""
