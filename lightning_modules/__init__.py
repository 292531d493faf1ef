"""What is trained: neurons, the scan that runs them over time, networks, and the LightningModule."""

import os

# Read where torch is loaded. By default a thread of OpenMP that has nothing to do keeps its processor busy for some
# milliseconds after every small operation of torch, and the scan's own threads wait for it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
