"""Stand-in for N-MNIST: every MNIST digit recorded by the simulated sensor, in N-MNIST's own files.

Train|Test/<label>/NNNNN.bin, NNNNN the 1-based MNIST index, five bytes an event: x, y, polarity (top bit) and 23 bits
of time in us (Orchard et al. 2015, section 2.5). Every reader of N-MNIST can read these files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from datamodules.sources import SOURCES, DataError, read
from datamodules.sources.records import NMNIST_STANDIN
from datamodules.standins.production import filling, run_parallel, write_atomically
from datamodules.standins.sensor import Sensor, Studio

CHUNK = 250  # recordings a task
SPLITS = {"Train": "train", "Test": "t10k"}  # folder: its name in MNIST's files


@dataclass(frozen=True)
class Job:
    """Recordings of a split, from index ``first`` on, that one worker makes."""

    out: Path
    split: str
    first: int
    images: np.ndarray
    labels: np.ndarray
    sensor: Sensor
    seed: int


def encode(events: np.ndarray) -> bytes:
    """Events [n, 4] (time in us, x, y, polarity) as an N-MNIST file."""
    t, x, y, p = events.T
    return np.stack([x, y, (p << 7) | (t >> 16), (t >> 8) & 255, t & 255], axis=1).astype(np.uint8).tobytes()


def sample(studio: Studio, image: np.ndarray, seed: int, split: str, index: int) -> np.ndarray:
    """Events of recording ``index`` (0-based) of ``split``: they follow from these arguments alone, in any order and
    process."""
    return studio.record(image, np.random.default_rng([seed, list(SPLITS).index(split), index]))


def _make(job: Job) -> tuple[int, list[str]]:
    """Make the files of ``job`` that no earlier run finished. Returns the number of events and each file's md5."""
    studio = Studio(job.sensor, job.seed)
    total = 0
    digests = []
    for k, (image, label) in enumerate(zip(job.images, job.labels, strict=True)):
        path = job.out / job.split / str(label) / f"{job.first + k + 1:05}.bin"
        content = path.read_bytes() if path.exists() else b""
        if not content or len(content) % 5:
            content = encode(sample(studio, image, job.seed, job.split, job.first + k))
            write_atomically(path, content)
        total += len(content) // 5
        digests.append(hashlib.md5(content).hexdigest())
    return total, digests


def mnist(split: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images [n, 28, 28] and labels of ``split`` ("Train" or "Test"), at most ``limit``. Raises ``DataError``."""
    from datamodules.mnist import parse_idx  # loads torch, which no worker needs

    source = SOURCES["mnist"]
    paths = [file.path for file in source.files if SPLITS[split] in file.path]
    images, labels = (parse_idx(read(source, path), path)[:limit] for path in paths)
    return images, labels


def generate(
    out: Path,
    seed: int = 0,
    limits: dict[str, int | None] | None = None,
    workers: int = 1,
    sensor: Sensor | None = None,
) -> dict:
    """Fill ``out`` with recordings of all MNIST, or of the first ``limits`` of "Train" and "Test".

    Returns recipe and contents as the manifest has them. Takes about 2 ms a recording. After an interruption the same
    call continues where it stopped. Raises ``DataError``.
    """
    sensor = sensor or Sensor()
    limits = limits or {}
    if workers < 1:
        raise DataError(f"the number of workers must be at least 1, got {workers}")
    for split, limit in limits.items():
        if limit is not None and limit < 1:
            raise DataError(f"the number of samples of {split} must be at least 1, got {limit}")
    data = {split: mnist(split, limits.get(split)) for split in SPLITS}
    samples = {"train": len(data["Train"][0]), "test": len(data["Test"][0])}
    recipe = {"version": NMNIST_STANDIN.version, "seed": seed, "samples": samples, "sensor": asdict(sensor)}
    with filling(out, NMNIST_STANDIN.title, recipe) as contents:
        jobs = list(_jobs(out, data, sensor, seed))
        try:
            for folder in {out / job.split / str(label) for job in jobs for label in job.labels}:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot write to {out} ({error.strerror})") from None
        # Compile the kernel once, here; the workers read it from numba's cache.
        Studio(sensor, seed).record(jobs[0].images[0], np.random.default_rng(0))
        events = 0
        digests = []
        sizes = [len(job.labels) for job in jobs]
        for job_events, job_digests in run_parallel(_make, jobs, workers, sizes, NMNIST_STANDIN.title):
            events += job_events
            digests += job_digests
        contents.update(samples=samples, events=events, md5_of_md5s=hashlib.md5("".join(digests).encode()).hexdigest())
    return {**recipe, **contents}


def _jobs(out: Path, data: dict[str, tuple[np.ndarray, np.ndarray]], sensor: Sensor, seed: int) -> Iterator[Job]:
    for split, (images, labels) in data.items():
        for first in range(0, len(images), CHUNK):
            part = slice(first, first + CHUNK)
            yield Job(out, split, first, images[part], labels[part], sensor, seed)
