"""Collections: contacts recorded, the queue of a day, what may be done, what was done wrong, and which strategy brings more."""
