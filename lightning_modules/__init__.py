"""What is trained: neurons, the scan that runs them over time, networks, and the LightningModule."""
