"""What is trained on: one file per data set, and where each comes from (``sources``)."""
