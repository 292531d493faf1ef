"""Roles Table 5: hyper-parameters."""

from bench.papers.roles.models import LIF
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import CIFAR10, DVS_GESTURE, MNIST, NMNIST, SHD, SSC, XOR
from bench.spec.grid import grid
from bench.spec.table import Fact, Table

_TASKS = {t.title: t for t in (XOR, SHD, SSC, NMNIST, DVS_GESTURE, MNIST, CIFAR10)}
_SETTINGS = {
    "#Epochs": "epochs",
    "Batch Size": "batch_size",
    "Learning Rate": "lr",
    "u_th": "neuron.threshold",
    "Surrogate Gradient Width": "neuron.width",
    "Optimizer": "optimiser",
    "Scheduler": "schedule",
}

TABLE = Table(
    "roles-5",
    PAPER,
    "Hyper-parameters",
    grid(
        """
                                 | XOR  | SHD  | SSC  | N-MNIST | DVS128 Gesture | MNIST | CIFAR10
        #Epochs                  | 150  | 100  | 100  | 100     | 100            | 100   | 100
        Batch Size               | 500  | 100  | 100  | 512     | 512            | 512   | 512
        Learning Rate            | 1e-2 | 1e-2 | 1e-2 | 1e-4    | 0.1            | 1e-4  | 1e-4
        u_th                     | 0.5  | 0.5  | 0.5  | 0.3     | 0.3            | 0.3   | 0.3
        Surrogate Gradient Width | 0.5  | 0.5  | 0.5  | 0.25    | 0.25           | 0.25  | 0.25
        Optimizer                | Adam | Adam | Adam | Adam    | Adam           | Adam  | Adam
        Scheduler | StepLR(50, 0.1) | StepLR(20, 0.5) | StepLR(25, 0.1) | - | - | - | -
    """,
        legend={"-": "nothing printed"},
        tasks=_TASKS,
        models=dict.fromkeys(_TASKS, LIF),
        facts={row: Fact("setting", (path,)) for row, path in _SETTINGS.items()},
    ),
    notes=("table_5",),
)
