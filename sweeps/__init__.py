"""Many experiments: a queue shared by worker processes, with the ledger as the truth."""

TOGETHER = 8  # experiments of one form that a card trains in one launch, at most
