"""Stand-in for SHD: the Free Spoken Digit Dataset through the cochlea model, in SHD's HDF5 layout.

10 English digits by 6 speakers at 8 kHz where SHD has 20 classes, English and German, at 48 kHz: channels above 4 kHz
hardly spike. Split as published with the recordings: index 0-4 of each speaker and digit is the test set.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from datamodules.sources import DataError, data_home
from datamodules.sources.records import SPOKEN_STANDIN
from datamodules.standins import cochlea
from datamodules.standins.production import filling, run_parallel, write_atomically

CHUNK = 25  # recordings a task
KEYS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
PARTS = ".parts"  # folder of the finished parts of an unfinished stand-in


@dataclass(frozen=True, order=True)
class Recording:
    """One wave file. The sort order puts all digits and speakers into every beginning of a split."""

    index: int
    speaker: str
    digit: int
    path: Path


@dataclass(frozen=True)
class Job:
    part: Path
    recordings: list[Recording]
    seed: int


def find_recordings(folder: Path) -> dict[str, list[Recording]]:
    """The recordings of each split. Raises ``DataError`` when there are none."""
    recordings = []
    for path in sorted(folder.glob("*.wav")):
        if name := NAME.fullmatch(path.name):
            recordings.append(Recording(int(name[3]), name[2], int(name[1]), path))
    if not recordings:
        raise DataError(
            f"no recordings <digit>_<speaker>_<index>.wav in {folder}: put the Free Spoken Digit Dataset there"
        )
    recordings.sort()
    return {
        "train": [recording for recording in recordings if recording.index >= 5],
        "test": [recording for recording in recordings if recording.index < 5],
    }


def encode(recording: Recording, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Spike times (s, float16 as in SHD) and units of a recording. Raises ``DataError`` for other than a mono wave."""
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
    """Make the part of ``job`` unless an earlier run did. Returns its number of spikes."""
    if not job.part.exists():
        spike_trains = [encode(recording, job.seed) for recording in job.recordings]
        content = io.BytesIO()
        lengths = np.array([len(t) for t, _ in spike_trains])
        np.savez(
            content,
            times=np.concatenate([t for t, _ in spike_trains]),
            units=np.concatenate([u for _, u in spike_trains]),
            lengths=lengths,
        )
        write_atomically(job.part, content.getvalue())
    with np.load(job.part) as part:
        return int(part["lengths"].sum())


def generate(out: Path, seed: int = 0, limit: int | None = None, workers: int = 1, folder: Path | None = None) -> dict:
    """Write shd_train.h5 and shd_test.h5 to ``out`` from the first ``limit`` recordings of each split in ``folder``.

    ``folder`` is by default BENCH_DATA/fsdd/recordings. Returns recipe and contents as the manifest has them. Takes
    about 0.2 s a recording. After an interruption the same call continues where it stopped. Raises ``DataError``.
    """
    if workers < 1:
        raise DataError(f"the number of workers must be at least 1, got {workers}")
    if limit is not None and limit < 1:
        raise DataError(f"the number of recordings must be at least 1, got {limit}")
    all_recordings = find_recordings(folder or data_home() / "fsdd" / "recordings")
    splits = {split: recordings[:limit] for split, recordings in all_recordings.items()}
    samples = {split: len(recordings) for split, recordings in splits.items()}
    recipe = {
        "version": SPOKEN_STANDIN.version,
        "seed": seed,
        "samples": samples,
        "channels": cochlea.CHANNELS,
        "rate": cochlea.RATE,
    }
    files = {split: out / f"shd_{split}.h5" for split in splits}
    with filling(out, SPOKEN_STANDIN.title, recipe) as contents:
        parts = out / PARTS
        parts.mkdir(exist_ok=True)
        jobs = {split: _jobs(parts, split, recordings, seed) for split, recordings in splits.items()}
        open_jobs = [job for split in splits if not files[split].exists() for job in jobs[split]]
        sizes = [len(job.recordings) for job in open_jobs]
        for _ in run_parallel(_make, open_jobs, workers, sizes, SPOKEN_STANDIN.title):
            pass
        speakers = sorted({recording.speaker for recordings in splits.values() for recording in recordings})
        for split, recordings in splits.items():
            if not files[split].exists():
                write_atomically(files[split], _hdf5([job.part for job in jobs[split]], recordings, speakers))
        md5 = {split: hashlib.md5(path.read_bytes()).hexdigest() for split, path in files.items()}
        contents.update(samples=samples, speakers=speakers, md5=md5)
        contents["events"] = sum(_count(path) for path in files.values())
        shutil.rmtree(parts)
    return {**recipe, **contents}


def _jobs(parts: Path, split: str, recordings: list[Recording], seed: int) -> list[Job]:
    starts = range(0, len(recordings), CHUNK)
    return [Job(parts / f"{split}-{k:05}.npz", recordings[k : k + CHUNK], seed) for k in starts]


def _hdf5(parts: list[Path], recordings: list[Recording], speakers: list[str]) -> bytes:
    """One split in SHD's layout."""
    times: list[np.ndarray] = []
    units: list[np.ndarray] = []
    for path in parts:
        with np.load(path) as part:
            ends = np.cumsum(part["lengths"])[:-1]
            times += np.split(part["times"], ends)
            units += np.split(part["units"], ends)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["what"] = SPOKEN_STANDIN.title
        for name, values, dtype in (("times", times, np.float16), ("units", units, np.uint16)):
            rows = file.create_dataset(f"spikes/{name}", (len(values),), dtype=h5py.vlen_dtype(dtype))
            for i, value in enumerate(values):
                rows[i] = value
        file["labels"] = np.array([recording.digit for recording in recordings], np.uint16)
        file["extra/speaker"] = np.array([speakers.index(recording.speaker) for recording in recordings], np.uint16)
        file["extra/keys"] = np.array(KEYS, dtype="S")
    return content.getvalue()


def _count(path: Path) -> int:
    with h5py.File(path) as file:
        return sum(len(units) for units in file["spikes/units"][()])
