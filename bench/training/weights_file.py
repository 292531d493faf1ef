"""Weights to hand on: a safetensors file with all weights of a trained experiment and a description of them.

Tensors are named "<protocol>/<name in the network>"; "correct/<protocol>" has a bool for each test sample. The metadata
of the file are the description: texts, of which those in ``JSON`` are JSON. ``content_sha256`` covers all tensors and
all other metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

import bench
from bench import paths
from bench.errors import BenchError
from bench.ledger import provenance
from bench.spec.experiment import Experiment
from bench.training.trained import Trained
from datamodules import files
from lightning_modules.networks.base import check_fit
from lightning_modules.spiking import SpikingModule

FORMAT = "spiking-sequence-benchmarks weights 1"
DESCRIPTION = ("experiment", "task", "model", "seed", "budget", "data", "data_hash", "versions", "config_hash")
JSON = ("config", "history", "steps", "origin", "environment")
FIELDS = (*DESCRIPTION, *JSON, "sha256", "suite", "commit", "content_sha256")
# Task, model, seed and budget by their names -> the experiment of this suite. Raises ``BenchError`` for unknown names.
Find = Callable[[str, str, int, str], Experiment]


def export(weights: Trained, path: Path) -> None:
    """Write ``weights`` to ``path``, whole or not at all. Raises ``BenchError`` if it cannot be written."""
    tensors = {f"{protocol}/{name}": x for protocol, state in weights.states.items() for name, x in state.items()}
    tensors |= {f"correct/{protocol}": x for protocol, x in weights.correct.items()}
    own = {name: x.detach().cpu().contiguous().clone() for name, x in tensors.items()}  # without shared memory
    metadata = _description(weights)
    metadata["content_sha256"] = content_sha256(metadata, own)
    write(path, safetensors.torch.save(own, metadata))


def _description(weights: Trained) -> dict[str, str]:
    """Metadata of the file, but for ``content_sha256``."""
    experiment = weights.experiment
    values: dict[str, Any] = {
        "config": experiment.config,
        "history": weights.history,
        "steps": weights.steps,
        "origin": weights.origin,
        "environment": _environment(weights.origin.get("environment", "")),
    }
    return {
        "format": FORMAT,
        "experiment": experiment.id,
        "task": experiment.task.name,
        "model": experiment.model.name,
        "seed": str(experiment.seed),
        "budget": experiment.budget,
        "data": experiment.config["data"],
        "data_hash": experiment.data_hash,
        "versions": experiment.versions,
        "config_hash": experiment.config_hash,
        **{name: json.dumps(value, sort_keys=True) for name, value in values.items()},
        "sha256": weights.sha256,
        "suite": bench.__version__,
        "commit": weights.origin.get("git_commit") or "",
    }


def _environment(key: str) -> dict[str, str]:
    """The recorded environment with the hash ``key``, empty where no ledger of this machine has it."""
    for results in (paths.results(), paths.exploratory(), paths.COMMITTED):
        for row in provenance.rows({key}, results):
            return dict(zip(provenance.COLUMNS, row, strict=True))
    return {}


def content_sha256(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """Of all that a file holds, ``content_sha256`` itself aside."""
    described = {name: value for name, value in metadata.items() if name != "content_sha256"}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def write(path: Path, content: bytes) -> None:
    """Write a file outside of home and ledger, whole or not at all. Raises ``BenchError`` if it cannot be written."""
    try:
        files.write_atomically(path.expanduser(), content)
    except OSError as error:
        raise BenchError(f"cannot write {path} ({error.strerror})") from None


def read(path: Path, find: Find) -> tuple[Trained, dict[str, str]]:
    """The weights in ``path`` and the environment that they were trained in.

    Raises ``BenchError``, naming file and reason, for a file that is damaged or of no experiment of this suite.
    """
    metadata, tensors = _content(path)
    values = {name: _json(path, name, metadata[name]) for name in JSON}
    experiment = _experiment(path, metadata, values["config"], find)
    states: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        protocol, _, name = key.partition("/")
        states.setdefault(protocol, {})[name] = value
    correct = states.pop("correct", {})
    _check_states(path, experiment, states)
    weights = Trained(experiment, states, values["history"], values["steps"], values["origin"], correct)
    if metadata["sha256"] != weights.sha256 or metadata["content_sha256"] != content_sha256(metadata, tensors):
        _refuse(path, "its content is not what was exported (another sha256): get the file again")
    if unknown := sorted(set(values["environment"]) - set(provenance.COLUMNS)):
        names = ", ".join(unknown)
        _refuse(path, f"its environment has {names}, of a newer version of the suite: update this checkout")
    return weights, values["environment"]


def _refuse(path: Path, reason: str) -> NoReturn:
    raise BenchError(f"{path}: {reason}") from None


def _content(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        _refuse(path, f"it is no safetensors file, or it was cut off ({error})")
    except OSError as error:
        _refuse(path, f"it cannot be read ({error.strerror or error})")
    origin = "python -m bench weights export writes files that can be imported"
    if "format" not in metadata:
        _refuse(path, f"its metadata do not describe an experiment of this suite; {origin}")
    if metadata["format"] != FORMAT:
        _refuse(path, f"its format is {metadata['format']!r}, and this version reads {FORMAT!r}")
    if missing := [name for name in FIELDS if name not in metadata]:
        _refuse(path, f"its metadata lack {', '.join(missing)}; {origin}")
    return metadata, tensors


def _json(path: Path, name: str, text: str) -> Any:
    with suppress(ValueError):
        value = json.loads(text)
        kind: type = {"history": list, "steps": int}.get(name, dict)
        if isinstance(value, kind) and (value or name == "environment"):
            return value
    _refuse(path, f"{name} in its metadata is not what an export writes")


def _experiment(path: Path, metadata: Mapping[str, str], config: Mapping[str, Any], find: Find) -> Experiment:
    """The experiment of this suite that the file is of."""
    if not metadata["seed"].isdigit():
        _refuse(path, f"a seed is a whole number, and its metadata have {metadata['seed']!r}")
    try:
        experiment = find(metadata["task"], metadata["model"], int(metadata["seed"]), metadata["budget"])
        present = experiment.config
    except BenchError as error:
        _refuse(path, str(error))
    if experiment.id == metadata["experiment"]:
        return experiment
    if experiment.versions != metadata["versions"]:
        _refuse(path, f"it was trained with the versions {metadata['versions']}; this suite has {experiment.versions}")
    for name in (*present, *config):
        own = present.get(name)
        if own != config.get(name):
            _refuse(path, f"it was trained with {name} {config.get(name)!r}; here {experiment} has {own!r}")
    if experiment.data_hash != metadata["data_hash"]:
        _refuse(path, f"it was trained on other files of {metadata['data']} than this suite knows")
    _refuse(path, f"it is of experiment {metadata['experiment']}; here {experiment} has the id {experiment.id}")


def _check_states(path: Path, experiment: Experiment, states: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Refuse weights that do not fit the network or are not finite."""
    if "last" not in states:
        _refuse(path, "it has no weights of the last epoch (last/…)")
    network = SpikingModule({**experiment.config, "seed": experiment.seed}).network
    for protocol, state in states.items():
        try:
            check_fit(network, state)
        except ValueError as error:
            _refuse(path, f"weights {protocol}: {error}")
        for name, value in state.items():
            if not bool(torch.isfinite(value).all()):
                _refuse(path, f"weights {protocol}: {name} is not finite")
