"""What is trained: neurons, the scan that runs them over time, networks, and the LightningModule."""

import os

# Read where torch is loaded. By default a thread of GNU's OpenMP that has nothing to do turns 300,000 times after every
# small operation of torch, which takes milliseconds, and the scan's threads wait for its processor. With no turns at
# all the next operation of torch would have to wake it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
