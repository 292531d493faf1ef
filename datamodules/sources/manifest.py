"""The manifest of a stand-in: the file that says how its folder was filled, and whether that was finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MANIFEST = "standin.json"


def read_manifest(out: Path) -> dict[str, Any] | None:
    """The manifest in folder ``out``, or ``None`` where there is none that can be read."""
    try:
        return json.loads((out / MANIFEST).read_text())
    except (OSError, ValueError):
        return None


def manifest_problem(out: Path, version: int, samples: dict[str, int] | None = None) -> str | None:
    """Why the stand-in in ``out`` must not be used, or ``None``: absent, unfinished, another version or ``samples``."""
    manifest = read_manifest(out)
    if manifest is None:
        return f"no stand-in in {out}"
    if not manifest["complete"]:
        return f"the stand-in in {out} is unfinished: run the command that makes it again"
    made_by = manifest["recipe"]["version"]
    if made_by != version:
        return f"the stand-in in {out} is of version {made_by}, this program makes {version}: make it again"
    if samples is not None and manifest["samples"] != samples:
        return f"the stand-in in {out} holds {manifest['samples']}, not {samples}"
    return None
