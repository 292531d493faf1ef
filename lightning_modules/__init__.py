"""What is trained: neurons, the scan that runs them over time, networks, and the LightningModule."""

import os

# Read where torch is loaded. By default a thread of GNU's OpenMP that has nothing to do keeps its processor for 4 ms
# after every small operation of torch, and the scan's threads wait for it. With no turns at all the next operation of
# torch would have to wake it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # turns, about 0.1 ms
