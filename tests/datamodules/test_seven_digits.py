"""The real recordings of seven digits: every event is decoded, split by digit, and what does not fit is named."""

from __future__ import annotations

import hashlib
import json
import lzma
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tonic.transforms
from click.testing import CliRunner

from bench.commands.data import data as data_commands
from datamodules import cache, contents, recordings, sources
from datamodules.census import count
from datamodules.sources import DataError, event_codes
from datamodules.standins import compare_digits
from tests.datamodules import tiny_sets

NAME = "nmnist-7"
SIZES = {"train": 77, "test": 14}  # 11 and 2 of each digit
Recordings = dict[int, dict[int, np.ndarray]]


@pytest.fixture
def made(places: Path, monkeypatch: pytest.MonkeyPatch) -> Recordings:
    """13 recordings of each digit: events [n, 4] (polarity, y, x, ms) by MNIST number. One event is there twice."""
    rng = np.random.default_rng(0)
    digits: Recordings = {}
    for digit in range(7):
        digits[digit] = {}
        for k in range(13):
            events = np.stack([rng.integers(0, limit, 200) for limit in (2, 34, 34, 300)], 1)
            events[0, 3] = 0
            digits[digit][1 + digit + 7 * k] = np.concatenate([events, events[:1]])
    tiny_sets.install(NAME, tiny_sets.nmnist_7_files(digits), SIZES, monkeypatch)
    return digits


def frames(events: np.ndarray, window_ms: int, steps: int, counts: bool) -> np.ndarray:
    x = np.zeros((steps, 2312), np.float32)
    for p, y, column, ms in events:
        if ms // window_ms < steps:
            x[ms // window_ms, p * 1156 + y * 34 + column] += 1
    return x if counts else x.clip(max=1)


@pytest.mark.parametrize(
    ("settings", "window_ms", "steps"),
    [({}, 3, 15), ({"window_ms": 7, "steps": "full"}, 7, 42), ({"window_ms": 1, "values": "counts"}, 1, 15)],
)
def test_windows_of_any_whole_ms_hold_the_events_and_count_one_that_comes_twice_as_two(
    made: Recordings, settings: dict, window_ms: int, steps: int
) -> None:
    data = tiny_sets.batches(NAME, **settings)
    x, labels = tiny_sets.everything(data.test_batches())
    opened = recordings.nmnist_7(sources.folder(NAME), "test")
    assert x.shape == (steps, 14, 2312) and labels.tolist() == sorted(labels.tolist())
    for sample, name in enumerate(opened.names):
        digit, number = map(int, name.split("/"))
        expected = frames(made[digit][number], window_ms, steps, "values" in settings)
        assert labels[sample] == digit and np.array_equal(x[:, sample].numpy(), expected)
    if "values" in settings:
        assert x.max() == 2


def test_every_digit_has_the_same_share_of_test_recordings_and_no_recording_is_in_both_splits(
    made: Recordings,
) -> None:
    folder = sources.folder(NAME)
    names = {split: recordings.nmnist_7(folder, split).names for split in SIZES}
    assert not set(names["train"]) & set(names["test"]) and len(names["train"]) + len(names["test"]) == 91
    assert Counter(name[0] for name in names["test"]) == dict.fromkeys("0123456", 2)
    assert names["test"] == recordings.nmnist_7(folder, "test").names
    data = tiny_sets.batches(NAME, validation=0.2)
    assert data.has_validation and len(data.rows["train"]) + len(data.rows["validation"]) == 77
    assert np.unique(data.sets["train"].labels).tolist() == list(range(7))


def test_the_split_does_not_depend_on_the_order_of_the_index(made: Recordings) -> None:
    before = recordings.nmnist_7(sources.folder(NAME), "test").names
    backwards = {digit: dict(reversed(by_number.items())) for digit, by_number in made.items()}
    for path, content in tiny_sets.nmnist_7_files(backwards).items():
        (sources.folder(NAME) / path).write_bytes(content)
    assert recordings.nmnist_7(sources.folder(NAME), "test").names == before


def test_the_input_is_batches_of_events_too(made: Recordings) -> None:
    data = tiny_sets.batches(NAME)
    dense, _ = tiny_sets.everything(data.test_batches())
    data.form = "events"
    assert data.has_events
    assert np.array_equal(np.concatenate([e.dense() for e, _ in data.test_batches()], 1), dense)  # type: ignore


def test_verify_decodes_every_event_and_the_files_are_counted(made: Recordings) -> None:
    result = CliRunner().invoke(data_commands, ["verify", NAME])
    assert result.exit_code == 0 and "every file is the original" in result.output
    assert sources.status(NAME)["state"] == "present"
    assert count(NAME) == {"samples": "91", "classes": "7", "size": "34x34 pixels", "format": "DVS format"}


def cut_off(content: bytes) -> bytes:
    return content[:-20]


def of_another_version(content: bytes) -> bytes:
    return lzma.compress(lzma.decompress(content)[:-4])


def with_another_place(content: bytes) -> bytes:
    codes = np.frombuffer(lzma.decompress(content), "<u4").copy()
    codes[200] += 2312 * 320
    return lzma.compress(codes.tobytes())


def with_two_counts_exchanged(content: bytes) -> bytes:
    return content.replace(b"2,3,201,", b"2,3,200,").replace(b"2,10,201,", b"2,10,202,")


BAD = {
    "cut off": ("events_3.u32.xz", cut_off, "events_3.u32.xz cannot be decompressed", "truncated or another file"),
    "another version": (
        "events_3.u32.xz",
        of_another_version,
        "holds 2,612 events where index.csv lists 2,613 of digit 3",
        "another file",
    ),
    "altered": ("events_3.u32.xz", with_another_place, "index.csv does not fit the file", "md5|bytes"),
    "index": ("index.csv", with_two_counts_exchanged, "events_2.u32.xz: recording 10 .* does not fit", "md5|bytes"),
    "no index": ("index.csv", lambda content: b"class,number\n1,2\n", "not a list of recordings", "bytes"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("same_record", [True, False], ids=["known by its md5", "known by its events"])
def test_a_file_that_does_not_fit_is_named_once_and_nothing_half_written_is_used(
    made: Recordings, what: str, same_record: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, change, decoded, original = BAD[what]
    path = sources.folder(NAME) / file
    content = change(path.read_bytes())
    path.write_bytes(content)
    if not same_record:
        monkeypatch.setitem(sources.SOURCES, NAME, with_md5_of(file, content))
    message = original if same_record else decoded
    result = CliRunner().invoke(data_commands, ["verify", NAME])
    assert result.exit_code == 1
    with pytest.raises(DataError, match=message):
        tiny_sets.batches(NAME)
    assert len(sources.verify(NAME) or contents.problems(NAME)) == 1
    assert not list(cache.folder().glob("*.pack*")) or all(entry.usable for entry in cache.entries(content=True))
    if same_record:
        assert sources.status(NAME)["state"] == "partial" and file in sources.status(NAME)["problems"][0]


def with_md5_of(file: str, content: bytes) -> sources.Source:
    """The record of the source in which ``file`` has the size and md5 of ``content``."""
    record = sources.SOURCES[NAME]
    files = {f.path: f for f in record.files}
    files[file] = replace(files[file], size=len(content), md5=hashlib.md5(content).hexdigest())
    return replace(record, files=tuple(files.values()))


def test_a_missing_file_of_a_digit_is_named(made: Recordings) -> None:
    (sources.folder(NAME) / "events_5.u32.xz").unlink()
    (problem,) = sources.verify(NAME)
    assert "missing" in problem and "events_5.u32.xz" in problem
    assert [file.path for file in sources.missing(NAME)] == ["events_5.u32.xz"]
    with pytest.raises(DataError, match="events_5.u32.xz"):
        tiny_sets.batches(NAME)
    assert not list(cache.folder().glob("*.pack*"))


def test_simulated_recordings_are_denoised_as_tonic_does_it() -> None:
    rng = np.random.default_rng(1)
    for _ in range(3):
        x, y, t, p = tiny_sets.camera(rng, 34, 2000, 310_000).T
        events = np.zeros(2000, [("x", int), ("y", int), ("t", int), ("p", int)])
        for name, column in (("x", x), ("y", y), ("t", t), ("p", p)):
            events[name] = column
        denoised = tonic.transforms.Denoise(filter_time=10_000)(events)
        counted = tonic.transforms.ToFrame((34, 34, 2), time_window=1000)(denoised)
        codes = compare_digits.simulated_codes(np.stack([t, x, y, p], 1))
        frame = np.zeros((2312, event_codes.LIMIT_MS))
        np.add.at(frame.ravel(), codes, 1)
        assert 0 < len(denoised) < 2000
        assert np.array_equal(frame[:, : len(counted)].T, counted.reshape(len(counted), -1))
        assert not frame[:, len(counted) :].any()


def test_the_comparison_counts_events_by_time_pixel_and_polarity() -> None:
    codes = [np.array([0, 0, 320 + 5]), np.array([1156 * 320 + 7])]
    counts = compare_digits.count(codes)
    assert counts.recordings.tolist() == [3, 1] and counts.pixels[[0, 1, 1156]].tolist() == [2, 1, 1]
    assert counts.ms[[0, 5, 7]].tolist() == [2, 1, 1] and counts.ms.sum() == 4


def test_networks_trained_on_the_stand_in_are_tested_on_real_recordings_of_other_digits(made: Recordings) -> None:
    from bench.speed.standin_digits import main

    folder = sources.folder("nmnist-standin")
    run = CliRunner().invoke
    assert "no finished stand-in" in run(main, []).output
    for digit, by_number in made.items():
        for number, events in by_number.items():
            p, y, x, ms = events[np.argsort(events[:, 3], kind="stable")].T
            path = folder / "Train" / str(digit) / f"{number:05}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tiny_sets.bin_file(np.stack([x, y, 1000 * ms, p], 1)))
    (folder / "standin.json").write_text('{"complete": true}')
    result = run(main, ["--count", "49", "--epochs", "1", "--json"])
    rows = json.loads(result.stdout[result.stdout.index("[") :])
    assert [(row["digit"], row["data"]) for row in rows[:2]] == [("0", "real"), ("1", "real")]
    for data in ("real", "stand-in"):
        *digits, every = (row for row in rows if row["data"] == data)
        assert [row["recordings"] for row in digits] == [6] * 7, "7 of 13 have a number that was trained on"
        assert every["digit"] == "all" and every["recordings"] == 42
        assert every["of_ten"] == pytest.approx(np.mean([row["of_ten"] for row in digits]))
        assert all(row["of_seven"] >= row["of_ten"] for row in digits)
    assert "no real recordings of digit 0" in run(main, ["--count", "90"]).output
    (folder / "Train" / "3" / "00088.bin").unlink()
    assert "00088.bin is missing" in run(main, ["--count", "49"]).output
