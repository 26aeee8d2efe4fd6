"""After the money leaves: loans and what happened to them, the ledger, the close of a day, the state on any date."""
