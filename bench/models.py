"""The neuron variants and baselines that rows of the tables name."""

from __future__ import annotations

from bench.experiment import Model

LIF = Model("lif", "Baseline")
LIF_NO_LEAK = Model("lif-no-leak", "Without leakage", settings={"leak": 1.0, "learn_leak": False})
LIF_FULL_LEAK = Model("lif-full-leak", "Complete leakage", settings={"leak": 0.0, "learn_leak": False})
LIF_NO_RESET = Model("lif-no-reset", "Without reset", settings={"reset": "none"})
LIF_RECURRENT = Model("lif-recurrent", "With recurrence", recurrent=True)

MODELS = {m.name: m for m in (LIF, LIF_NO_LEAK, LIF_FULL_LEAK, LIF_NO_RESET, LIF_RECURRENT)}
