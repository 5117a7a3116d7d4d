"""The ledger: the database of what arrived and what became of it."""
