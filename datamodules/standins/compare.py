"""How close the stand-ins are to real recordings: tables of measured and simulated values side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from datamodules.sources import DataError, data_home
from datamodules.standins.nmnist import SPLITS, mnist, sample
from datamodules.standins.sensor import SIDE, Sensor, Studio

Row = tuple[str, ...]  # quantity, real, stand-in
Events = np.ndarray  # [n, 4]: time in us, x, y, polarity
HEIGHTS = " ▁▂▃▄▅▆▇█"


def data_folder(name: str) -> Path:
    """A folder below BENCH_DATA."""
    return data_home() / name


def decode(content: bytes) -> Events:
    """An N-MNIST file as events."""
    a, b, c, d, e = np.frombuffer(content, np.uint8).reshape(-1, 5).astype(np.int64).T
    return np.stack([(c & 127) << 16 | d << 8 | e, a, b, c >> 7], axis=1)


def pairs(count: int, seed: int) -> tuple[list[Events], list[Events], np.ndarray]:
    """Real recordings in BENCH_DATA/nmnist, simulated ones of the same digits, and labels. Raises ``DataError`` when
    there are none."""
    studio = Studio(Sensor(), seed)
    real: list[Events] = []
    simulated: list[Events] = []
    labels: list[int] = []
    for split in SPLITS:
        paths = sorted(data_folder("nmnist").glob(f"{split}/*/[!.]*.bin"), key=lambda path: path.name)
        images, digits = mnist(split) if paths else (np.empty(0), np.empty(0))
        for path in paths:
            index = int(path.stem) - 1
            if len(real) == count:
                break
            if digits[index] != int(path.parent.name):
                raise DataError(f"{path} is not recording {index + 1} of MNIST, whose label is {digits[index]}")
            real.append(decode(path.read_bytes()))
            simulated.append(sample(studio, images[index], seed, split, index))
            labels.append(int(digits[index]))
    if not real:
        raise DataError(f"no real recordings in {data_folder('nmnist')}: nothing to compare with")
    return real, simulated, np.array(labels)


def _maps(recordings: list[Events]) -> np.ndarray:
    return np.array([np.bincount(e[:, 2] * SIDE + e[:, 1], minlength=SIDE * SIDE) for e in recordings], float)


def _intervals(recordings: list[Events], same: bool) -> np.ndarray:
    """Times (ms) between events of a pixel, of equal or of opposite polarity."""
    intervals = []
    for events in recordings:
        pixel = events[:, 2] * SIDE + events[:, 1]
        events, pixel = (array[np.lexsort((events[:, 0], pixel))] for array in (events, pixel))
        chosen = (pixel[1:] == pixel[:-1]) & ((events[1:, 3] == events[:-1, 3]) == same)
        intervals.append(np.diff(events[:, 0])[chosen] / 1000)
    return np.concatenate(intervals)


def nmnist(count: int = 1100, seed: int = 0) -> list[Row]:
    """Rows of the comparison with N-MNIST; correlations stand in the last column."""
    real, simulated, labels = pairs(count, seed)
    both = real, simulated
    rows: list[Row] = [("recordings", str(len(real)), str(len(simulated)))]

    def row(name: str, form: str, *values: float) -> None:
        rows.append((name, form.format(values[0]), form.format(values[1])))

    n = [np.array([len(e) for e in recordings]) for recordings in both]
    row("events a sample, mean", "{:,.0f}", *(a.mean() for a in n))
    row("events a sample, sd", "{:,.0f}", *(a.std() for a in n))
    for digit in np.unique(labels):
        row(f"events of a {digit}, mean", "{:,.0f}", *(a[labels == digit].mean() for a in n))
    row("share of polarity 1", "{:.3f}", *(np.mean([e[:, 3].mean() for e in recordings]) for recordings in both))
    row("share of polarity 1, sd", "{:.3f}", *(np.std([e[:, 3].mean() for e in recordings]) for recordings in both))
    row("last event (ms), mean", "{:.0f}", *(np.mean([e[-1, 0] for e in recordings]) / 1000 for recordings in both))
    for polarity, same in (("same", True), ("other", False)):
        gaps = [_intervals(recordings, same) for recordings in both]
        for q in (10, 50, 90):
            row(
                f"interval to a pixel's next event of {polarity} polarity (ms), {q} %",
                "{:.1f}",
                *(np.percentile(g, q) for g in gaps),
            )
    edges = np.arange(0, 320_001, 5000)
    times = [np.mean([np.histogram(e[:, 0], edges)[0] for e in recordings], axis=0) for recordings in both]
    for k, name in enumerate(("first", "second", "third")):
        part = slice(k * 21, (k + 1) * 21)
        row(f"events of the {name} saccade ({k * 105}-{(k + 1) * 105} ms)", "{:,.0f}", *(t[part].sum() for t in times))
        row(f"peak of the {name} saccade (ms)", "{:.0f}", *(5.0 * (k * 21 + t[part].argmax()) + 2.5 for t in times))
    row("events a sample, first 45 ms", "{:,.0f}", *(t[:9].sum() for t in times))
    rows.append(("events over time, 10 ms a bar", *(_bars(t[:64].reshape(-1, 2).sum(1)) for t in times)))
    maps = [_maps(recordings) for recordings in both]

    def correlation(name: str, a: np.ndarray, b: np.ndarray) -> None:
        rows.append((f"correlation: {name}", "", f"{np.corrcoef(a.ravel(), b.ravel())[0, 1]:.3f}"))

    correlation("events a sample", *n)
    correlation("events over time (5 ms bins)", *times)
    correlation("mean events of each pixel", *(m.mean(0) for m in maps))
    mean_correlation = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*maps, strict=True)])
    rows.append(("correlation: events of each pixel, recording by recording", "", f"{mean_correlation:.3f}"))
    return rows


def spoken_digits(seed: int = 0) -> list[Row]:
    """Rows of the comparison with the published output of the program that made SHD, 70 channels."""
    import soundfile
    from scipy.signal import resample_poly

    from datamodules.standins import cochlea

    folder = data_folder("heidelberg_sample")
    try:
        sound, rate = soundfile.read(folder / "spoken_digit.flac")
        with np.load(folder / "lauscher_reference_70ch.npz") as file:
            times, units = file["arr_0"]
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"no reference in {folder} ({error})") from None
    sound = resample_poly(sound, cochlea.RATE, rate)
    # the reference is older than the program's correction of the stiffness from 1e8 to the paper's 1e9; SHD has the
    # paper's
    simulated = {c0: cochlea.spikes(sound, np.random.default_rng(seed), 70, c0) for c0 in (1e8, cochlea.C0)}
    rows: list[Row] = []
    for c0, (t, u) in simulated.items():
        name = f"stiffness {c0:.0e}: "
        profile = [np.bincount(a.astype(int), minlength=70).astype(float) for a in (units, u)]
        rate_over_time = [np.histogram(a, np.arange(0, 0.801, 0.01))[0].astype(float) for a in (times, t)]
        middle = [np.median(a) for a in (units, u)]
        rows.append((name + "spikes", f"{len(times)}", f"{len(t)}"))
        rows.append((name + "median channel", *(f"{m:.0f}" for m in middle)))
        rows.append((name + "spikes by channel, 2 a bar", *(_bars(p.reshape(-1, 2).sum(1)) for p in profile)))
        rows.append((name + "correlation, spikes by channel", "", f"{np.corrcoef(profile)[0, 1]:.3f}"))
        rows.append(
            (name + "correlation, spikes over time (10 ms bins)", "", f"{np.corrcoef(rate_over_time)[0, 1]:.3f}")
        )
    return rows


def _bars(values: np.ndarray) -> str:
    """A histogram in one line."""
    return "".join(HEIGHTS[round(8 * v / max(values.max(), 1e-9))] for v in values)


def show(rows: list[Row], as_json: bool = False) -> None:
    """Print ``rows`` as a Markdown table or as JSON."""
    if as_json:
        objects: list[dict[str, Any]] = [dict(zip(("what", "real", "standin"), row, strict=True)) for row in rows]
        click.echo(json.dumps(objects, ensure_ascii=False))
        return
    widths = [max(len(row[k]) for row in [("", "real", "stand-in"), *rows]) for k in range(3)]
    for row in [
        ("", "real", "stand-in"),
        ("-" * widths[0], "-" * (widths[1] - 1) + ":", "-" * (widths[2] - 1) + ":"),
        *rows,
    ]:
        click.echo(f"| {row[0]:<{widths[0]}} | {row[1]:>{widths[1]}} | {row[2]:>{widths[2]}} |")
