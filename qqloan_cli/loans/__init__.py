"""Pure loan maths, on whole columns of loans; money is fen in int64. Called by stages, funding and commands.

schedule.py     what is due in each month, exact to the fen
annual_cost.py  what a loan costs a year, all in
rounding.py     integer division, rounded as a contract says
shares.py       money split by largest remainder: sources of a loan, tranches, fees
due_dates.py    the same day of every month, through short months; 30/360 days
calendar.py     working days as the State Council announces them
"""
