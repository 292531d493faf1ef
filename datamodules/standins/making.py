"""Making a stand-in: in parallel, the same bytes whatever the number of workers, resumable, and never mistaken for
finished."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, TypeVar

from datamodules import files
from datamodules.locks import locked
from datamodules.sources import DataError

MANIFEST = "standin.json"
T = TypeVar("T")
R = TypeVar("R")


def write_whole(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all. Raises ``DataError``."""
    try:
        files.write_whole(path, content, sync=False)  # 70,000 of them
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}): free some space or choose another folder") from None


def read_manifest(out: Path) -> dict[str, Any] | None:
    """What ``out`` holds, or ``None`` when it holds no stand-in."""
    try:
        return json.loads((out / MANIFEST).read_text())
    except (OSError, ValueError):
        return None


def problem(out: Path, version: int, samples: dict[str, int] | None = None) -> str | None:
    """Why the stand-in in ``out`` must not be used, or ``None``: absent, unfinished, another version, or fewer than
    ``samples``."""
    manifest = read_manifest(out)
    if manifest is None:
        return f"no stand-in in {out}"
    if not manifest["complete"]:
        return f"the stand-in in {out} is unfinished: run the command that makes it again"
    if manifest["recipe"]["version"] != version:
        return f"the stand-in in {out} is of version {manifest['recipe']['version']}, this program makes {version}: make it again"
    if samples is not None and manifest["samples"] != samples:
        return f"the stand-in in {out} holds {manifest['samples']}, not {samples}"
    return None


@contextmanager
def making(out: Path, title: str, recipe: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Holds ``out`` alone while it is filled; what is put into the dictionary goes into the manifest that marks it
    complete.

    ``recipe``: all that decides the bytes. Raises ``DataError`` when the folder cannot be written, is being filled by
    another process, or was made to another recipe.
    """
    recipe = json.loads(json.dumps(recipe))  # as it will be read back
    manifest: dict[str, Any] = {"what": title, "kind": "stand-in", "recipe": recipe, "complete": False}
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = locked(out / ".lock", wait=False)
        held = lock.__enter__()
    except OSError as error:
        raise DataError(f"cannot write to {out} ({error.strerror}): choose another folder") from None
    try:
        if not held:
            raise DataError(f"another process is filling {out}")
        before = read_manifest(out)
        if before is None and any(not name.startswith(".") for name in os.listdir(out)):
            raise DataError(
                f"{out} holds other files: a stand-in gets a folder of its own, never that of the data it stands for"
            )
        if before is not None and before["recipe"] != recipe:
            differs = sorted(
                key for key in {*recipe, *before["recipe"]} if recipe.get(key) != before["recipe"].get(key)
            )
            raise DataError(
                f"{out} was made with other settings ({', '.join(differs)}): delete it or choose another folder"
            )
        write_whole(out / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
        for part in out.rglob(".part-*"):  # left by a killed run
            part.unlink(missing_ok=True)
        made: dict[str, Any] = {}
        yield made
        write_whole(out / MANIFEST, (json.dumps({**manifest, **made, "complete": True}, indent=1) + "\n").encode())
    finally:
        lock.__exit__(None, None, None)


def _follow() -> None:
    """A worker ends with its parent, however that ends; Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def wait() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def spread(work: Callable[[T], R], jobs: Sequence[T], workers: int, sizes: Sequence[int], title: str) -> Iterator[R]:
    """``work`` over ``jobs`` in their order, on ``workers`` processes, with a bar that counts ``sizes`` and gives the
    time left.

    Raises ``DataError`` for fewer than one worker, and when a worker was killed.
    """
    from tqdm import tqdm

    if workers < 1:
        raise DataError(f"the number of workers must be at least 1, got {workers}")
    with tqdm(total=sum(sizes), desc=title, unit="sample", file=sys.stderr, disable=None) as bar:
        if workers == 1 or len(jobs) < 2:
            for job, size in zip(jobs, sizes, strict=True):
                yield work(job)
                bar.update(size)
            return
        with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn"), _follow) as pool:
            try:
                for result, size in zip(pool.map(work, jobs), sizes, strict=True):
                    yield result
                    bar.update(size)
            except BrokenProcessPool:
                raise DataError(
                    f"{title}: a worker was killed (out of memory?); the same command goes on where it stopped"
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
