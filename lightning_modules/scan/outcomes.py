"""Which cards have passed the check of the Triton kernels, remembered in ``BENCH_HOME/gpu``.

A file holds the outcome for one card, torch, Triton and text of the scan: another of these needs a new check.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

COMMAND = "python -m bench gpu check"


def versions(device: torch.device) -> dict[str, str]:
    """What an outcome depends on. On the CPU the kernels run in Triton's interpreter."""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "interpreter"
    capability = "{}.{}".format(*torch.cuda.get_device_capability(device)) if device.type == "cuda" else ""
    return {
        "card": card,
        "capability": capability,
        "torch": torch.__version__,
        "triton": _triton(),
        "scan": digest(),
    }


@cache
def digest() -> str:
    """Of all source files of the scan."""
    text = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text.update(path.name.encode() + path.read_bytes())
    return text.hexdigest()[:16]


def _triton() -> str:
    try:
        return version("triton")
    except PackageNotFoundError:
        return ""


def _path(known: Mapping[str, str]) -> Path:
    home = Path(os.environ.get("BENCH_HOME") or Path(__file__).parents[2] / ".bench").expanduser()
    key = hashlib.sha256(json.dumps(dict(known), sort_keys=True).encode()).hexdigest()[:16]
    return home.absolute() / "gpu" / f"check-{key}.json"


def remember(device: torch.device, passed: bool, details: Mapping[str, Any]) -> Path:
    """Write the outcome of a check on ``device``, whole or not at all. Raises ``OSError`` where the home is not
    writable."""
    known = versions(device)
    path = _path(known)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.write_text(json.dumps({**known, "passed": passed, **details}, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return path


def recall(device: torch.device) -> dict[str, Any] | None:
    """The remembered outcome for ``device``; ``None`` if it was not checked with these versions."""
    known = versions(device)
    with suppress(OSError, ValueError):
        outcome = json.loads(_path(known).read_text(encoding="utf-8"))
        if isinstance(outcome, dict) and all(outcome.get(name) == value for name, value in known.items()):
            return outcome
    return None


def problem(device: torch.device) -> str:
    """Why the kernels are not to be trusted on ``device``; empty where they are."""
    if not _triton():
        return "Triton is not installed"
    outcome = recall(device)
    if outcome is None:
        return f"they were not checked with these versions; {COMMAND} does it once"
    if not outcome.get("passed"):
        failed = ", ".join(outcome.get("failed", ())) or "unknown cases"
        return f"their check failed for {failed}; {COMMAND} says how"
    return ""
