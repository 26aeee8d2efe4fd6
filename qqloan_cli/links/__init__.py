"""What needs everybody: shared keys, velocity, the graph. Keys and numbers only."""
