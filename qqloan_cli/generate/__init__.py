"""A coherent synthetic lender: people, money, ties, faults and the truth beside them.

    lender        the whole, block by block: files as intake reads them
    block         a block of people and its streams of randomness
    people        latent traits, work, true income
    applications  what is asked for, and the identity shown
    faults        what is planted, and in whom
    pay           tax and insurance, pay slips, provident fund
    credit        tradelines with grids, inquiries
    statements    bank lines, stream by stream, and balances
    social        activity, holdings, ties, past outcomes, blocklist
    truth         the hidden formula of going bad (read its docstring), and the files of truth/
    identity, columns, vocabulary, regions    check digits, Arrow columns, words, county codes

Whole columns at a time: no row is a Python object anywhere.
"""
