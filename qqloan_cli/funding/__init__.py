"""Who funds which loan, and when its money leaves. Called by stages fund and disburse.

sources.py    configs/funding.toml as arrays: who takes which loan, and every limit
cohorts.py    loans that nothing tells apart to those who fund them
programme.py  the linear programme over cohorts and structures, and its shadow prices
spread.py     from its split to whole loans, and the queue of what waits
tranches.py   pay dates and common due dates by product
payees.py     borrower or merchant: entrusted payment
"""
