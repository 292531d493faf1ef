"""CE-LIF and the spiking baselines that the celif paper trains with its own recipe. For others see models_baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.papers.celif.tasks import ADDING, COPY
from bench.spec.model import Model

LAB_CODE = "public neuroseqbench code of the celif lab"
TWO_RECURRENT = {"recurrent_layers": 2, "recurrent_bias": True}
TWO_RECURRENT_SOURCE = (
    "derived: recurrence with bias in the first two hidden layers only, as in public code of the lab; the counts come"
    " out so"
)
_FIVE_EPOCHS = {"laptop": {"epochs": 5}}
_THREE_EPOCHS = {"laptop": {"epochs": 3}}


def _celif(
    name: str,
    title: str,
    width: int,
    recurrent: bool = False,
    embedding: str = "te*v",
    budgets: Mapping[str, Any] = _FIVE_EPOCHS,
) -> Model:
    """CE-LIF on sequential MNIST with hidden layers 64-width-width; its own defaults are those of paper Table 5."""
    return Model(
        name,
        title,
        neuron="celif",
        settings={"steps": 784, **({} if embedding == "te*v" else {"embedding": embedding})},
        recurrent=recurrent,
        changes={"layers": (1, 64, width, width, 10), **({"network_settings": TWO_RECURRENT} if recurrent else {})},
        budgets=budgets,
        sources={
            "layers": "paper, supplement",
            "network_settings": TWO_RECURRENT_SOURCE,
            "neuron": (
                "paper Table 5: alpha 0.5, beta 0.99, Theta_0 0.3, Gamma 0.2; TE ~ N(0.01, 0.01) with 0.01 as the"
                " deviation: " + LAB_CODE
            ),
        },
    )


CELIF_84K = _celif("celif-84k", "CE-LIF, 83.5k", 88)
CELIF_154K = _celif("celif-154k", "CE-LIF, 153.9k", 152, budgets={"laptop": {"epochs": 10}})
# Figure 2: the output layer is CE-LIF too, and its mean rate is the decision
CELIF_OUTPUT = replace(
    CELIF_154K,
    name="celif-154k-output",
    title="CE-LIF with a CE-LIF output layer",
    changes={**CELIF_154K.changes, "readout": "spiking"},
    sources={
        **CELIF_154K.sources,
        "readout": (
            "paper, Figure 2: output neurons are CE-LIF, their mean rate the output; TE shared with them: guess [U]"
        ),
    },
)
CELIF_REC_158K = _celif("celif-rec-158k", "CE-LIF, recurrent, 158.3k", 136, recurrent=True, budgets={})
CELIF_REC_181K = _celif("celif-rec-181k", "CE-LIF, recurrent, 181.4k", 152, recurrent=True, budgets={})

# Rows of Table 2 in their order: the term that replaces TE[t] V[t-1]. The last row is the 153.9k network, but for the
# reduced budget: the rows go from one epoch to three there, one after another.
CELIF_EMBEDDINGS = tuple(
    _celif(f"celif-embedding-{name}", f"CE-LIF with {form}", 152, embedding=form, budgets=budgets)
    for name, form, budgets in (
        ("s", "s", {}),
        ("v", "v", _THREE_EPOCHS),
        ("te", "te", {}),
        ("te-plus-v", "te+v", {}),
        ("te-s", "te*s", {}),
        ("te-v", "te*v", _THREE_EPOCHS),
    )
)

# Row 1 again: that equation is ALIF's, whose gain on S[t-1] the rows of Table 2 do not have
EMBEDDING_S_GAIN = Model(
    "celif-embedding-s-gain",
    "CE-LIF with s, ALIF's gain",
    neuron="alif-celif",
    changes={"layers": (1, 64, 152, 152, 10)},
    sources={
        "layers": "paper, supplement",
        "neuron": "paper eq. 3: gain gamma, not given [U]: the neuron's own, 0.018; all else as row 1",
    },
)


def _dense(
    name: str, title: str, neuron: str, recurrent: bool, settings: Mapping[str, Any] | None = None, **changes: Any
) -> Model:
    """A network of ``neuron`` with the task's widths; a ``recurrent`` one recurs in its first two hidden layers."""
    sources = changes.pop("sources", {})
    return Model(
        name,
        title,
        neuron=neuron,
        settings=settings or {},
        recurrent=recurrent,
        changes={**({"network_settings": TWO_RECURRENT} if recurrent else {}), **changes},
        sources={"network_settings": TWO_RECURRENT_SOURCE, **sources},
    )


LIF_FF, LIF_REC = (_dense(f"lif-{k}", f"LIF*, {k}", "lif", k == "rec") for k in ("ff", "rec"))
PLIF_FF, PLIF_REC = (_dense(f"plif-{k}", f"PLIF*, {k}", "plif", k == "rec") for k in ("ff", "rec"))
LTMD_FF, LTMD_REC = (_dense(f"ltmd-{k}", f"LTMD*, {k}", "ltmd", k == "rec") for k in ("ff", "rec"))

_GLIF_RECIPE = {"lr": 5e-3, "weight_decay": 3e-3}
_GLIF_SOURCES = {
    "lr": "code, of the lab's later rerun: " + LAB_CODE,
    "weight_decay": "code, of the lab's later rerun: " + LAB_CODE,
    "neuron": "gates and surrogate: " + LAB_CODE,
}
GLIF_FF = _dense(
    "glif-ff",
    "GLIF*, ff",
    "glif",
    False,
    {"steps": 784, "gates": (0.8, 0.2, 0.8), "width": 0.5},
    **_GLIF_RECIPE,
    layers=(1, 24, 40, 40, 10),
    sources={
        **_GLIF_SOURCES,
        "layers": "derived: 24-40-40 with parameters per neuron, as in public code of the lab, counts 85,362",
    },
)
GLIF_REC = _dense(
    "glif-rec",
    "GLIF*, rec",
    "glif",
    True,
    {"steps": 784, "per_neuron": False, "gates": (0.8, 0.2, 0.8), "width": 0.3},
    **_GLIF_RECIPE,
    sources={
        **_GLIF_SOURCES,
        "layers": "derived: per layer on 64-256-256 it counts 157,455; per neuron on the lab's 36-72-72, 157,690",
    },
)

_STEPS_BY_TASK: dict[str, dict[str, Any]] = {t.name: {"neuron": {"steps": steps}} for steps, t in ADDING.items()}
_STEPS_BY_TASK |= {t.name: {"neuron": {"steps": delay + 20, "beta": 1 - 1 / delay}} for delay, t in COPY.items()}
CELIF = Model(
    "celif",
    "CE-LIF",
    "celif",
    by_task=_STEPS_BY_TASK,
    sources={
        "neuron": (
            "paper Table 5: beta 0.99, for copy memory 1 - 1/T with the delay as T [U]; TE has a column for every step"
        )
    },
)
ALIF_REC = Model(
    "alif-rec",
    "ALIF",
    "alif-celif",
    recurrent=True,
    changes={"network_settings": TWO_RECURRENT},
    by_task={t.name: {"neuron": {"beta": 1 - 1 / delay}} for delay, t in COPY.items()},
    sources={
        "network_settings": TWO_RECURRENT_SOURCE,
        "neuron": "paper eq. 3; beta as CE-LIF's; gamma and Theta_0 are not given [U]: the neuron's own defaults",
    },
)
