"""Credit lines in life: what each is like on a day, and what a night decides on it (qqloan review-lines)."""
