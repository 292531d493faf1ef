"""Many experiments: a queue shared by worker processes, with the ledger as the truth."""

TOGETHER = 8  # seeds of one experiment that a card trains in one launch, at most
