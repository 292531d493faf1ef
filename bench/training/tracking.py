"""W&B: one run per experiment, offline unless the user is logged in."""

from __future__ import annotations

import os
import sys
from typing import Any

import wandb

from bench import paths
from bench.spec.experiment import Experiment

PROJECT = "spiking-sequence-benchmarks"


def mode() -> str:
    """``WANDB_MODE`` if set; online with a key in the environment or in ~/.netrc; else offline. No account is
    needed.
    """
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    netrc = os.path.expanduser("~/.netrc")
    try:
        with open(netrc, encoding="utf-8") as file:
            known = "api.wandb.ai" in file.read()
    except OSError:
        known = False
    return "online" if known or os.environ.get("WANDB_API_KEY") else "offline"


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested plain settings as ``a.b`` keys: what W&B filters and groups by."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out


def start(experiment: Experiment) -> Any:
    """Start the run of ``experiment``: id = experiment id, group = task/model, tags = budget, data, versions.

    Where W&B refuses, the run is a disabled one: an experiment never fails for its tracking.
    """
    folder = paths.home() / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("WANDB_SILENT", "true")
    about: dict[str, Any] = dict(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        id=experiment.id,
        name=f"{experiment.task.name}/{experiment.model.name}/{experiment.budget}/{experiment.seed}",
        group=f"{experiment.task.name}/{experiment.model.name}",
        tags=[experiment.budget, experiment.config["data"], *experiment.versions.split()],
        config={"seed": experiment.seed, "budget": experiment.budget, **flat(experiment.config)},
        dir=str(folder),
        reinit="finish_previous",
        settings=wandb.Settings(console="off", x_disable_stats=True, save_code=False, disable_git=True),
    )
    try:
        return wandb.init(mode=mode(), **about)  # type: ignore[arg-type]
    except Exception as error:  # the service may still hold a killed worker's run, say
        print(f"W&B does not track {experiment} ({type(error).__name__}: {error})", file=sys.stderr)
        return wandb.init(mode="disabled", **about)
