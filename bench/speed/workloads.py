"""The workloads: networks with their input, and the implementations that train them. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.speed import data_loading, overhead

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
    """A network and its input. With ``linear_readout`` the last layer is a projection of the mean spikes, as in the
    celif paper.
    """

    layers: tuple[int, ...]  # widths from input to output
    neuron: str  # a name, or "module:class" of a neuron that is not registered
    steps: int
    batch: int
    settings: tuple[tuple[str, Any], ...] = ()
    recurrent: tuple[int, ...] = ()  # indices of the recurrent layers
    density: float | None = None  # share of ones in a binary input; None for an analog input
    linear_readout: bool = False
    implementations: tuple[str, ...] = ("ours", "loop", "spikingjelly", "snntorch", "floor")
    projected: bool = True  # False: only the neurons of one layer, without weights
    checkpoint_every: int | None = None  # steps between saved states, to save memory
    delays: int = 0  # with the network of LSNN: synapses act 0 to delays - 1 steps late
    connectivity: float | None = None  # share of its connections that exist, with rewiring by DEEP R; None: all

    @property
    def about(self) -> str:
        """The network and its input in words."""
        layers = "-".join(map(str, self.layers))
        recurrent = ", recurrent" if self.recurrent else ""
        density = "analog input" if self.density is None else f"{100 * self.density:g} % of the input are spikes"
        saved = f", saves the state every {self.checkpoint_every} steps" if self.checkpoint_every else ""
        late = f", synapses up to {self.delays - 1} steps late" if self.delays else ""
        sparse = "" if self.connectivity is None else f", {100 * self.connectivity:g} % connected and rewired"
        neuron = self.neuron.split(":")[-1]
        network = f"{neuron}, layers {layers}{recurrent}{late}{sparse}"
        return f"{network}, {self.steps} steps, batch {self.batch}, {density}{saved}"


WITHOUT_PEERS = ("ours", "loop", "floor")
ALONE = ("ours", "loop")
USER_NEURON = "tests.lightning_modules.scan.user_neuron:Resonant"  # a neuron that no code of the suite knows
LEARNT_LEAK = (("learn_leak", True),)
WORKLOADS = {
    "lif-seq": Workload((1, 64, 256, 256, 10), "lif", 784, 256),
    "celif-seq": Workload((1, 64, 152, 152, 10), "celif", 784, 256, linear_readout=True, implementations=WITHOUT_PEERS),
    "celif-seq-sparing": Workload(
        (1, 64, 152, 152, 10),
        "celif",
        784,
        256,
        linear_readout=True,
        implementations=WITHOUT_PEERS,
        checkpoint_every=56,
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
    "alif-rec": Workload((1, 64, 256, 256, 10), "alif", 784, 256, recurrent=(0, 1), implementations=WITHOUT_PEERS),
    "xor": Workload((20, 16, 2), "lif", 200, 500, LEARNT_LEAK, density=0.1),
    "shd": Workload((700, 64, 20), "lif", 1000, 100, LEARNT_LEAK, density=0.01),
    "nmnist": Workload((2312, 512, 10), "lif", 15, 512, density=0.015),
    # Less than the recipes' 840 steps of 128 samples: the loop would take a minute for such a step, or several.
    "lsnn": Workload((80, 220, 10), "lsnn", 840, 64, recurrent=(0,), density=0.03, implementations=ALONE, delays=10),
    "deep-r": Workload(
        (80, 700, 10),
        "lsnn",
        105,
        32,
        recurrent=(0,),
        density=0.03,
        implementations=ALONE,
        delays=10,
        connectivity=0.12,
    ),
    "celif-neurons": Workload((152, 152), "celif", 784, 256, projected=False, implementations=ALONE),
    "glif-neurons": Workload((40, 40), "glif", 784, 256, projected=False, implementations=ALONE),
    "alif-neurons": Workload((256, 256), "alif", 784, 256, projected=False, implementations=ALONE),
    "user-neurons": Workload((152, 152), USER_NEURON, 784, 256, projected=False, implementations=ALONE),
}
NAMES = (*WORKLOADS, *data_loading.TASK_NAMES, *overhead.IMPLEMENTATIONS)
