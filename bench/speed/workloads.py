"""What is timed: networks with their input, and who trains them. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.speed import data_loading, overhead

PEERS = {"spikingjelly": "spikingjelly==2.0.0", "snntorch": "snntorch==1.0.0"}
COLUMNS = (
    "workload",
    "implementation",
    "median_ms",
    "p10_ms",
    "p90_ms",
    "peak_mb",
    "repeats",
    "threads",
    "torch",
    "git_commit",
)


@dataclass(frozen=True)
class Workload:
    """A network and its input. ``readout`` linear: the last layer is a plain projection of the mean spikes, as celif
    has it.
    """

    layers: tuple[int, ...]
    neuron: str  # its name, or module:class of one that is not registered
    steps: int
    batch: int
    settings: tuple[tuple[str, Any], ...] = ()
    recurrent: tuple[int, ...] = ()  # numbers of the recurrent layers
    density: float | None = None  # of a binary input; None: analog
    linear_readout: bool = False
    implementations: tuple[str, ...] = ("ours", "loop", "spikingjelly", "snntorch", "floor")
    projected: bool = True  # False: the neurons of one layer alone
    checkpoint_every: int | None = None


OWN = ("ours", "loop", "floor")
USER = "tests.lightning_modules.scan.user_neuron:Resonant"  # as a user's own: no code of ours knows it
LEARNED = (("learn_leak", True),)
WORKLOADS = {
    "lif-seq": Workload((1, 64, 256, 256, 10), "lif", 784, 256),
    "celif-seq": Workload((1, 64, 152, 152, 10), "celif", 784, 256, linear_readout=True, implementations=OWN),
    "celif-seq-sparing": Workload(
        (1, 64, 152, 152, 10), "celif", 784, 256, linear_readout=True, implementations=OWN, checkpoint_every=56
    ),
    "glif-seq": Workload(
        (1, 24, 40, 40, 10),
        "glif",
        784,
        256,
        linear_readout=True,
        implementations=("ours", "loop", "spikingjelly", "floor"),
    ),
    "lif-rec": Workload((1, 64, 256, 256, 10), "lif", 784, 256, recurrent=(0, 1)),
    "alif-rec": Workload((1, 64, 256, 256, 10), "alif", 784, 256, recurrent=(0, 1), implementations=OWN),
    "xor": Workload((20, 16, 2), "lif", 200, 500, LEARNED, density=0.1),
    "shd": Workload((700, 64, 20), "lif", 1000, 100, LEARNED, density=0.01),
    "nmnist": Workload((2312, 512, 10), "lif", 15, 512, density=0.015),
    "celif-neurons": Workload((152, 152), "celif", 784, 256, projected=False, implementations=("ours", "loop")),
    "glif-neurons": Workload((40, 40), "glif", 784, 256, projected=False, implementations=("ours", "loop")),
    "alif-neurons": Workload((256, 256), "alif", 784, 256, projected=False, implementations=("ours", "loop")),
    "user-neurons": Workload((152, 152), USER, 784, 256, projected=False, implementations=("ours", "loop")),
}
NAMES = (*WORKLOADS, *data_loading.SETS, *overhead.SETS)
