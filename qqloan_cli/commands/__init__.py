"""One file a command: parse, call, render, return. No decision logic and no SQL lives here."""
