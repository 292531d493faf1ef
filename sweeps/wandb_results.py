"""Uploads results to W&B: the ledger, tables and figures as an artifact with versions, and as tables and pictures of a
run.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import wandb

from bench import paths
from bench.errors import BenchError
from bench.ledger import provenance
from bench.training import wandb_mode

ARTIFACT = "results"  # its name and its type, and the run's job type
FOLDERS = ("runs", "series", "tables", "figures")


def files() -> list[Path]:
    """Everything that the artifact holds, below results. Raises ``BenchError`` where there is no ledger."""
    results = paths.results()
    if not list((results / "runs").glob("*.csv")):
        raise BenchError(f"there is no ledger in {results}: nothing to upload")
    paths_below = [path for name in FOLDERS for path in (results / name).rglob("*") if path.is_file()]
    return sorted([*paths_below, *(path for path in results.glob("*") if path.is_file())])


def table(path: Path) -> Any:
    """The rows of a CSV file as a W&B table; columns of numbers are numbers, without a value where they have none."""
    with path.open(encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    columns = [_numbers([row[i] for row in rows]) for i in range(len(header))]
    names: list[Any] = list(header)
    return wandb.Table(columns=names, data=[list(row) for row in zip(*columns, strict=True)], allow_mixed_types=True)


def _numbers(texts: list[str]) -> list[Any]:
    """``texts`` as numbers where all of them are, but for empty ones."""
    try:
        return [float(text) if text else None for text in texts]
    except ValueError:
        return list(texts)


def push() -> str:
    """Upload the results of this process; a line with what was uploaded, and where. Offline it waits for
    ``wandb sync``. Raises ``BenchError`` where W&B is off or refuses.
    """
    content = files()
    mode = wandb_mode.mode()
    if mode == "disabled":
        raise BenchError("W&B is off: set BENCH_WANDB to online or offline")
    folder = paths.home() / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("WANDB_SILENT", "true")
    commit, dirty = provenance.git()
    about = {"commit": commit, "dirty": dirty}
    try:
        with wandb.init(
            project=os.environ.get("WANDB_PROJECT", wandb_mode.PROJECT),
            mode=mode,  # type: ignore[arg-type]
            job_type=ARTIFACT,
            name=f"results at {commit or 'no commit'}",
            config=about,
            dir=str(folder),
            settings=wandb.Settings(console="off", x_disable_stats=True, save_code=False, disable_git=True),
        ) as run:
            _log(run, content, about)
            place = run.url or f"{folder}, `make wandb-sync` uploads it"
    except Exception as error:  # of the service, of any kind
        raise BenchError(f"W&B did not take the results ({' '.join(str(error).split())[:200]})") from None
    return f"{len(content)} files of {paths.results()}: {place}"


def _log(run: Any, content: list[Path], about: dict[str, Any]) -> None:
    """Give ``run`` the artifact, and tables and pictures of their own."""
    results = paths.results()
    artifact = wandb.Artifact(ARTIFACT, type=ARTIFACT, metadata=about)
    for path in content:
        artifact.add_file(str(path), name=str(path.relative_to(results)), policy="immutable", skip_cache=True)
    run.log_artifact(artifact, aliases=["latest", *([about["commit"]] if about["commit"] else [])])
    media = {f"tables/{path.stem}": table(path) for path in sorted((results / "tables").glob("*.csv"))}
    media |= {f"figures/{p.stem}": wandb.Image(str(p)) for p in sorted((results / "figures").glob("*.png"))}
    run.log(media)
