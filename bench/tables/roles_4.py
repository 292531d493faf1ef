"""Roles Table 4: network structures."""

from bench.table import ROLES, Table, grid

TABLE = Table(
    "roles-4",
    ROLES,
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
        note="computed from the recipes: not built yet",
    ),
    notes=(
        "The XOR network is not in the table; 20-16-2 is the public script's.",
        "The last row is from the text, not from the table: vanilla RNN, LSTM and GRU on N-MNIST.",
    ),
)
