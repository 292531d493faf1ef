"""What is known of a plug-in's neuron with given settings: the hash of its traced step, and the operations in it.

The trace holds every pointwise operation of the step and of its gradient, so that comments, format and names of local
variables do not count. Tracing loads torch and takes seconds: the home keeps what was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.spec import plugin_source
from bench.spec.experiment import canonical_hash
from datamodules.files import write_atomically

TRACED = ("step", "search_space")  # what of a class is not taken from its source: traced, or no part of the equation


def about(name: str, module: str, definition: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """ "digest", "acs" and "macs" of the neuron ``name``, the class ``definition`` in ``module``. The numbers are
    ``None`` for a step that cannot be traced. Raises ``BenchError`` for settings that it does not take.
    """
    return dict(_about(name, module, definition, json.dumps(settings, sort_keys=True)))


@cache
def _about(name: str, module: str, definition: str, settings: str) -> dict[str, Any]:
    source = plugin_source.definition(module, definition)
    key = canonical_hash([name, settings, source, version("torch"), _suite()])
    file = paths.home() / "plugins" / f"{key}.json"
    with suppress(OSError, ValueError):
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return known
    found = _traced(name, module, definition, json.loads(settings))
    with suppress(OSError):  # the next process traces it again
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(found).encode())
    return found


@cache
def _suite() -> str:
    """Hash of the suite's own code that a trace depends on."""
    folder = paths.ROOT / "lightning_modules"
    files: list[Path] = [folder / "surrogate.py", *folder.glob("neurons/*.py"), *folder.glob("scan/*.py")]
    return canonical_hash([file.read_text(encoding="utf-8") for file in sorted(files)])


def _traced(name: str, module: str, definition: str, settings: dict[str, Any]) -> dict[str, Any]:
    import torch

    from lightning_modules.networks.base import neuron_of
    from lightning_modules.scan.operations import count
    from lightning_modules.scan.trace import NotFusable, trace
    from lightning_modules.versions import NEURON_VERSIONS

    try:
        kind, config = neuron_of(name, settings)
        with torch.random.fork_rng(devices=[]):
            neuron = kind(3, config, **kind.shared([3], config))
            drives = neuron.drive(2)
    except (TypeError, ValueError) as error:
        raise BenchError(f"{plugin_source.line_of(module, name)}: neuron {name}: {error}") from None
    bases = [NEURON_VERSIONS.get(getattr(base, "name", ""), 0) for base in kind.__mro__[1:]]
    try:
        traced = trace(neuron, drives, torch.float32)
    except NotFusable:
        return {
            "digest": canonical_hash([bases, plugin_source.definition(module, definition)]),
            "acs": None,
            "macs": None,
        }
    graphs = [
        [[op.name, op.kind, *map(repr, op.args)] for op in graph.ops] + [list(map(repr, graph.outputs))]
        for graph in (traced.forward, traced.backward)
    ]
    rest = plugin_source.definition(module, definition, without=TRACED)
    acs, macs = count(traced)
    return {"digest": canonical_hash([bases, traced.states, graphs, rest]), "acs": acs, "macs": macs}
