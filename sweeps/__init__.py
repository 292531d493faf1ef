"""Many experiments: a queue shared by worker processes, with the ledger as the truth."""
