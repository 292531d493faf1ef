"""Stand-in for SHD: the Free Spoken Digit Dataset through the cochlea model, in SHD's HDF5 layout.

10 English digits by 6 speakers at 8 kHz where SHD has 20 classes, English and German, at 48 kHz: channels above 4 kHz
hardly spike. Split as published with the recordings: index 0-4 of each speaker and digit is the test set.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from datamodules.sources import DataError
from datamodules.standins import cochlea
from datamodules.standins.making import making, spread, write_whole
from datamodules.standins.records import SPOKEN_STANDIN

CHUNK = 25  # recordings a task
KEYS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
PARTS = ".parts"  # what is finished before all is


@dataclass(frozen=True, order=True)
class Recording:
    """Sorted so that any first part of a split has all digits and speakers."""

    index: int
    speaker: str
    digit: int
    path: Path


@dataclass(frozen=True)
class Job:
    part: Path
    recordings: list[Recording]
    seed: int


def recordings(folder: Path) -> dict[str, list[Recording]]:
    """The recordings of each split. Raises ``DataError`` when there are none."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        if name := NAME.fullmatch(path.name):
            found.append(Recording(int(name[3]), name[2], int(name[1]), path))
    if not found:
        raise DataError(
            f"no recordings <digit>_<speaker>_<index>.wav in {folder}: put the Free Spoken Digit Dataset there"
        )
    found.sort()
    return {"train": [r for r in found if r.index >= 5], "test": [r for r in found if r.index < 5]}


def listen(recording: Recording, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Spike times (s, float16 as in SHD) and units of one recording. Raises ``DataError`` for a file that is no mono
    wave."""
    try:
        rate, sound = wavfile.read(recording.path)
    except (OSError, ValueError) as error:
        raise DataError(f"{recording.path} cannot be read ({error})") from None
    if sound.ndim != 1 or len(sound) < 2 or cochlea.RATE % rate:
        raise DataError(
            f"{recording.path}: one channel at a rate that divides {cochlea.RATE} Hz is needed, got "
            f"{sound.shape} at {rate} Hz"
        )
    speaker = int.from_bytes(hashlib.md5(recording.speaker.encode()).digest()[:4], "big")
    rng = np.random.default_rng([seed, recording.digit, speaker, recording.index])
    times, units = cochlea.spikes(resample_poly(sound.astype(np.float64), cochlea.RATE // rate, 1), rng)
    return times.astype(np.float16), units.astype(np.uint16)


def _make(job: Job) -> int:
    """Number of spikes in the part, made now or by an earlier run."""
    if not job.part.exists():
        heard = [listen(recording, job.seed) for recording in job.recordings]
        content = io.BytesIO()
        lengths = np.array([len(t) for t, _ in heard])
        np.savez(
            content,
            times=np.concatenate([t for t, _ in heard]),
            units=np.concatenate([u for _, u in heard]),
            lengths=lengths,
        )
        write_whole(job.part, content.getvalue())
    with np.load(job.part) as made:
        return int(made["lengths"].sum())


def generate(out: Path, seed: int = 0, limit: int | None = None, workers: int = 1, folder: Path | None = None) -> dict:
    """Write shd_train.h5 and shd_test.h5 to ``out`` from the recordings in ``folder`` (default
    BENCH_DATA/fsdd/recordings), of each split the first ``limit``; returns what the manifest says. About 0.2 s a
    recording. Resumes. Raises ``DataError``."""
    if workers < 1:
        raise DataError(f"the number of workers must be at least 1, got {workers}")
    if limit is not None and limit < 1:
        raise DataError(f"the number of recordings must be at least 1, got {limit}")
    if folder is None:
        folder = (
            Path(os.environ.get("BENCH_DATA") or Path(__file__).resolve().parents[2] / "data").expanduser()
            / "fsdd"
            / "recordings"
        )
    splits = {split: some[:limit] for split, some in recordings(folder).items()}
    samples = {split: len(some) for split, some in splits.items()}
    recipe = {
        "version": SPOKEN_STANDIN.version,
        "seed": seed,
        "samples": samples,
        "channels": cochlea.CHANNELS,
        "rate": cochlea.RATE,
    }
    with making(out, SPOKEN_STANDIN.title, recipe) as made:
        parts = out / PARTS
        parts.mkdir(exist_ok=True)
        jobs = {
            split: [Job(parts / f"{split}-{k:05}.npz", some[k : k + CHUNK], seed) for k in range(0, len(some), CHUNK)]
            for split, some in splits.items()
        }
        flat = [job for split in ("train", "test") if not (out / f"shd_{split}.h5").exists() for job in jobs[split]]
        for _ in spread(_make, flat, workers, [len(job.recordings) for job in flat], SPOKEN_STANDIN.title):
            pass
        speakers = sorted({r.speaker for some in splits.values() for r in some})
        for split, some in splits.items():
            if not (out / f"shd_{split}.h5").exists():
                write_whole(out / f"shd_{split}.h5", _hdf5([job.part for job in jobs[split]], some, speakers))
        contents = {split: (out / f"shd_{split}.h5") for split in splits}
        made.update(
            samples=samples,
            speakers=speakers,
            md5={s: hashlib.md5(p.read_bytes()).hexdigest() for s, p in contents.items()},
        )
        made["events"] = sum(_count(path) for path in contents.values())
        shutil.rmtree(parts)
    return {**recipe, **made}


def _hdf5(parts: list[Path], some: list[Recording], speakers: list[str]) -> bytes:
    """One split in SHD's layout."""
    times: list[np.ndarray] = []
    units: list[np.ndarray] = []
    for part in parts:
        with np.load(part) as made:
            cuts = np.cumsum(made["lengths"])[:-1]
            times += np.split(made["times"], cuts)
            units += np.split(made["units"], cuts)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["what"] = SPOKEN_STANDIN.title
        for name, values, dtype in (("times", times, np.float16), ("units", units, np.uint16)):
            rows = file.create_dataset(f"spikes/{name}", (len(values),), dtype=h5py.vlen_dtype(dtype))
            for i, value in enumerate(values):
                rows[i] = value
        file["labels"] = np.array([r.digit for r in some], np.uint16)
        file["extra/speaker"] = np.array([speakers.index(r.speaker) for r in some], np.uint16)
        file["extra/keys"] = np.array(KEYS, dtype="S")
    return content.getvalue()


def _count(path: Path) -> int:
    with h5py.File(path) as file:
        return sum(len(units) for units in file["spikes/units"][()])
