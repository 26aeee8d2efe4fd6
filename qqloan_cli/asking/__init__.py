"""What if: changed applications put to the real stages. Above them, because it asks several; beside the chain, because nothing there waits for it."""
