"""Roles Table 4: network structures."""

from bench.papers.roles.models import GRU_512, LIF, LIF_RECURRENT, LSTM_512, RNN_512
from bench.papers.roles.paper import PAPER
from bench.papers.roles.tasks import CIFAR10, DVS_GESTURE, MNIST, NMNIST, SHD, SSC
from bench.spec.grid import grid
from bench.spec.table import Fact, Table

_DENSE = (SHD, SSC, NMNIST, DVS_GESTURE, MNIST)
_ROW = "RNN baselines (text, sec. 4.2.1)"
TABLE = Table(
    "roles-4",
    PAPER,
    "Network structures",
    grid(
        """
                                     | Network structures
    SHD                              | Input(700)-FC_LIF(64)-FC_LIF(20)-Output
    SSC                              | Input(700)-FC_LIF(200)-FC_LIF(35)-Output
    N-MNIST                          | Input(2312)-FC_LIF(512)-FC_LIF(10)-Output
    DVS128 Gesture                   | Input(32768)-Downsampling(2048)-FC_LIF(512)-FC_LIF(512)-FC_LIF(11)-Output
    MNIST                            | Input(784)-FC_LIF(512)-FC_LIF(10)-Output
    CIFAR10                          | Input(3072)-ResNet18_LIF-Output
    RNN baselines (text, sec. 4.2.1) | Input(2312)-RNN(512)-FC(10)-Output
    """,
        tasks={**{t.title: t for t in (*_DENSE, CIFAR10)}, _ROW: NMNIST},
        models={**dict.fromkeys((t.title for t in (*_DENSE, CIFAR10)), LIF), _ROW: RNN_512},
        facts={
            **{t.title: Fact("network", (LIF_RECURRENT.name,)) for t in _DENSE},
            CIFAR10.title: Fact("network"),
            _ROW: Fact("network", (LSTM_512.name, GRU_512.name)),
        },
    ),
    notes=("table_4",),
)
