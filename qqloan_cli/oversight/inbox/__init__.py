"""An inbox that is watched: what a lender drops becomes runs, archived and monitored, one batch after the other.

    drops.py     what lies in the inbox, whether it is complete, and which day it is of
    unpack.py    archives of several files
    journal.py   what became of each batch, line by line; all that a watch remembers
    batch.py     one batch on its way: a step is done, then said
    steps.py     the steps themselves, each in a process of its own
    watch.py     one batch after the other, once or for ever
"""
