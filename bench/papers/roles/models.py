"""The rows of the roles paper's tables: LIF variants, and recurrent networks without spikes."""

from __future__ import annotations

from dataclasses import replace

from bench.spec.model import Model

LIF = Model("lif", "Baseline")
LIF_NO_LEAK = Model("lif-no-leak", "Without leakage", settings={"leak": 1.0, "learn_leak": False})
LIF_FULL_LEAK = Model("lif-full-leak", "Complete leakage", settings={"leak": 0.0, "learn_leak": False})
LIF_NO_RESET = Model("lif-no-reset", "Without reset", settings={"reset": "none"})
LIF_RECURRENT = Model("lif-recurrent", "With recurrence", recurrent=True)
LIF_NO_LEAK_RECURRENT = replace(
    LIF_NO_LEAK, name="lif-no-leak-recurrent", title="Without leakage, with recurrence", recurrent=True
)
LIF_NO_LEAK_NO_RESET_RECURRENT = Model(
    "lif-no-leak-no-reset-recurrent",
    "Without leakage and reset, with recurrence",
    settings={"leak": 1.0, "learn_leak": False, "reset": "none"},
    recurrent=True,
)

VARIANTS = (LIF, LIF_NO_LEAK, LIF_FULL_LEAK, LIF_NO_RESET, LIF_RECURRENT)  # rows of Tables 6, 9 and 10

# Rows of Table 7, with k as printed. k = 0 and 1.0 are the same trainings as complete and no leakage; k = 0.3 is the
# same as the baseline on tasks where its leak is fixed.
LIF_LEAK = tuple(
    Model(f"lif-leak-{k}", f"k_tau = {k}", settings={"leak": float(k), "learn_leak": False})
    for k in ("0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0")
)


def _rnn(cell: str, title: str) -> Model:
    """A network of one recurrent layer of 512 units, as wide as the N-MNIST networks and read at the last step."""
    return Model(
        f"{cell}-512",
        title,
        neuron="",
        changes={"network": "rnn", "readout": "linear-last", "network_settings": {"cell": cell}},
        sources={
            "network": "paper: one recurrent layer as wide as the SNN's hidden layer; torch's own cell",
            "readout": "code: hewh16/SNNs-RNNs: the last step, MSE against the one-hot label (it has two layers)",
        },
    )


LSTM_512 = _rnn("lstm", "LSTM")
GRU_512 = _rnn("gru", "GRU")
RNN_512 = _rnn("rnn", "Vanilla RNN")
