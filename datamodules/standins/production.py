"""Making a stand-in: in parallel, with the same bytes for any number of workers, and resumable.

A manifest marks a stand-in as finished; without it the data is never used.
"""

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
from datamodules.locks import LockError, locked
from datamodules.sources import DataError
from datamodules.sources.manifest import MANIFEST, read_manifest

Job = TypeVar("Job")
Result = TypeVar("Result")


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all. Raises ``DataError``."""
    try:
        files.write_atomically(path, content, sync=False)  # for 70,000 files, waiting for the disk would take hours
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}): free some space or choose another folder") from None


@contextmanager
def filling(out: Path, title: str, recipe: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Hold folder ``out`` alone while it is filled. The yielded dictionary is added to the manifest at the end.

    ``recipe``: all that decides the bytes. Raises ``DataError`` when the folder cannot be written, is being filled by
    another process, or was made to another recipe.
    """
    recipe = json.loads(json.dumps(recipe))  # as it will be read back
    manifest: dict[str, Any] = {"what": title, "kind": "stand-in", "recipe": recipe, "complete": False}
    try:
        with locked(out / ".lock", wait=False) as held:
            if not held:
                raise DataError(f"another process is filling {out}")
            _check_recipe(out, recipe)
            _write_manifest(out, manifest)
            for part in out.rglob(".part-*"):  # a killed run left them
                part.unlink(missing_ok=True)
            contents: dict[str, Any] = {}
            yield contents
            _write_manifest(out, {**manifest, **contents, "complete": True})
    except LockError as error:
        raise DataError(f"cannot write to {out} ({error.strerror}): choose another folder") from None


def _check_recipe(out: Path, recipe: dict[str, Any]) -> None:
    """Raise ``DataError`` where ``out`` holds files of another origin, or a stand-in made to another recipe."""
    manifest = read_manifest(out)
    if manifest is None:
        if any(not name.startswith(".") and not files.is_junk(name) for name in os.listdir(out)):
            raise DataError(
                f"{out} holds other files: a stand-in gets a folder of its own, never that of the data it stands for"
            )
        return
    earlier = manifest["recipe"]
    if earlier != recipe:
        differing = sorted(key for key in {*recipe, *earlier} if recipe.get(key) != earlier.get(key))
        raise DataError(
            f"{out} was made with other settings ({', '.join(differing)}): delete it or choose another folder"
        )


def _write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    write_atomically(out / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def _start_worker() -> None:
    """Make this worker end with its parent, however that ends, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def end_with_parent() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def run_parallel(
    work: Callable[[Job], Result], jobs: Sequence[Job], workers: int, sizes: Sequence[int], title: str
) -> Iterator[Result]:
    """Results of ``work`` over ``jobs``, in their order, from ``workers`` processes. A bar counts ``sizes``.

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
        with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn"), _start_worker) as pool:
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
