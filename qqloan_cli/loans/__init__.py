"""Pure loan maths: schedules, annual cost, rounding, due dates, working days."""
