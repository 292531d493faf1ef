"""Every event set goes from its published files through Tonic's own class into batches, and what cannot be used is
said."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tonic.datasets
import torch

import datamodules
from datamodules import cache, recordings, sources
from datamodules.sources import DataError
from tests.datamodules import tiny_sets

SIZES = {"train": 24, "test": 8}


def split(make, sizes: dict[str, int], classes: int) -> list[tiny_sets.Split]:
    return [[(make(), i % classes) for i in range(count)] for count in sizes.values()]


@pytest.fixture
def shd(places: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list]:
    rng = np.random.default_rng(0)
    recordings = {name: tiny_sets.cochlea(rng, count, 20) for name, count in SIZES.items()}
    archives = {
        f"shd_{n}.h5.zip": tiny_sets.zipped({f"shd_{n}.h5": tiny_sets.spikes_h5(r)}) for n, r in recordings.items()
    }
    tiny_sets.install("shd", archives, SIZES, monkeypatch)
    return recordings


@pytest.fixture
def ssc(places: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list]:
    rng = np.random.default_rng(1)
    sizes = {"train": 24, "valid": 5, "test": 8}
    recordings = {name: tiny_sets.cochlea(rng, count, 35) for name, count in sizes.items()}
    archives = {
        f"ssc_{n}.h5.zip": tiny_sets.zipped({f"ssc_{n}.h5": tiny_sets.spikes_h5(r)}) for n, r in recordings.items()
    }
    tiny_sets.install("ssc", archives, sizes, monkeypatch)
    return recordings


@pytest.fixture
def nmnist(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    tiny_sets.install(
        "nmnist",
        tiny_sets.nmnist_archives(*split(lambda: tiny_sets.camera(rng, 34, 900, 310_000), SIZES, 10)),
        SIZES,
        monkeypatch,
    )


@pytest.fixture
def dvs(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    recordings = split(lambda: tiny_sets.camera(rng, 128, 3000, 6_000_000), SIZES, 11)
    tiny_sets.install("dvs-gesture", tiny_sets.dvs_archives(*recordings), SIZES, monkeypatch)


SHAPES = [
    ("shd", {}, (1000, 700), 20),
    ("shd", {"bin_ms": 4}, (250, 700), 20),
    ("ssc", {}, (1000, 700), 35),
    ("nmnist", {}, (15, 2312), 10),
    ("nmnist", {"window_ms": 10, "steps": "full", "values": "counts"}, (30, 2312), 10),
    ("dvs-gesture", {}, (16, 2048), 11),
    ("dvs-gesture", {"steps": 20, "clamp": True}, (20, 2048), 11),
]


@pytest.mark.parametrize(("name", "settings", "shape", "classes"), SHAPES)
def test_batches_are_time_first_float_and_hold_exactly_the_recordings_tonic_reads(
    name: str, settings: dict, shape: tuple[int, int], classes: int, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue({"dvs-gesture": "dvs"}.get(name, name))
    data = tiny_sets.batches(name, **settings)
    x, y = tiny_sets.everything(data.test_batches())
    assert x.shape == (shape[0], 8, shape[1]) and x.dtype == torch.float32 and y.dtype == torch.int64
    read = getattr(recordings, data.reader)(sources.folder(name), "test")  # type: ignore[attr-defined]
    for i in range(8):
        events, label = read[i]
        places, counts = data.transform(events, Counter())  # type: ignore[attr-defined]
        expected = torch.zeros(shape).flatten()
        expected[places] = 1.0 if counts is None else torch.from_numpy(counts).float()
        assert torch.equal(x[:, i].flatten(), expected) and int(y[i]) == label
    assert y.max() < classes and x.sum() > 0
    train_x, train_y = tiny_sets.everything(data.train_batches(lambda: 0))
    assert train_x.shape[1] == 24
    binary = settings.get("values") != "counts" and not (name == "dvs-gesture" and not settings.get("clamp"))
    assert (set(x.unique().tolist()) == {0.0, 1.0}) == binary


def test_the_spikes_of_shd_arrive_at_their_bin_and_channel(shd: dict[str, list]) -> None:
    from tests.datamodules.test_events import binary_image

    x, y = tiny_sets.everything(tiny_sets.batches("shd").test_batches())
    for i, (times, units, label) in enumerate(shd["test"]):
        late = times > 0.002  # below 2 ms half precision is finer than the us that Tonic keeps
        np.testing.assert_array_equal(x[:, i].numpy()[3:], binary_image(times[late], units[late], 1e-3)[3:])
        assert int(y[i]) == label


def test_what_fetch_leaves_is_what_tonic_itself_accepts(shd: dict, ssc: dict, places: Path) -> None:
    assert len(tonic.datasets.SHD(str(places / "data"), train=True)) == 24
    assert len(tonic.datasets.SSC(str(places / "data"), split="valid")) == 5
    assert sources.folder("shd") == places / "data" / "SHD"


@pytest.mark.parametrize("name", ["nmnist", "dvs"])
def test_tonic_never_downloads(name: str, request: pytest.FixtureRequest) -> None:
    """Tonic takes less than 10,000 or 100 files for a missing set and would download."""
    request.getfixturevalue(name)
    source = {"dvs": "dvs-gesture"}.get(name, name)
    cls = {"dvs": tonic.datasets.DVSGesture}.get(name, tonic.datasets.NMNIST)
    with pytest.raises(OSError):
        cls(str(sources.folder(source).parent), train=True)
    tiny_sets.batches(source)


def test_ssc_has_its_own_validation_split_and_shd_carves_one(ssc: dict, shd: dict) -> None:
    own, labels = tiny_sets.everything(tiny_sets.batches("ssc").validation_batches())  # type: ignore[attr-defined]
    assert own.shape[1] == 5 and labels.tolist() == [label for _, _, label in ssc["valid"]]
    with pytest.raises(ValueError, match="validation=0.1"):
        tiny_sets.batches("shd").validation_batches()  # type: ignore[attr-defined]

    def samples(x: torch.Tensor) -> set[bytes]:
        return {row.numpy().tobytes() for row in x.unbind(1)}

    all_samples = samples(tiny_sets.everything(tiny_sets.batches("shd").train_batches(lambda: 0))[0])
    parts = [datamodules.build("shd", {"validation": 0.25}, 10, seed) for seed in (0, 1)]
    carved = []
    for data in parts:
        validation, _ = tiny_sets.everything(data.validation_batches())
        train, _ = tiny_sets.everything(data.train_batches(lambda: 0))
        assert (validation.shape[1], train.shape[1]) == (6, 18)
        assert samples(validation) | samples(train) == all_samples and len(all_samples) == 24
        carved.append(validation)
    assert torch.equal(carved[0], carved[1]), "the same for every seed"


def test_the_order_of_files_does_not_matter(dvs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tiny_sets.everything(tiny_sets.batches("dvs-gesture").test_batches())
    walk = os.walk
    monkeypatch.setattr(
        os, "walk", lambda top, **how: ((p, d[::-1], f[::-1]) for p, d, f in sorted(walk(top, **how), reverse=True))
    )
    for entry in cache.entries():
        entry.path.unlink()
    reordered = tiny_sets.everything(tiny_sets.batches("dvs-gesture").test_batches())
    assert torch.equal(expected[0], reordered[0]) and torch.equal(expected[1], reordered[1])


def test_many_recordings_are_read_by_several_processes_to_the_same_bytes(
    nmnist: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = tiny_sets.batches("nmnist").sets["train"]  # type: ignore[attr-defined]
    for entry in cache.entries():
        entry.path.unlink()
    monkeypatch.setattr(recordings, "PARALLEL", 1)
    monkeypatch.setattr(recordings, "CHUNK", 7)
    parallel = tiny_sets.batches("nmnist").sets["train"]  # type: ignore[attr-defined]
    assert (
        np.array_equal(serial.places, parallel.places)
        and np.array_equal(serial.offsets, parallel.offsets)
        and torch.equal(serial.labels, parallel.labels)
    )


def test_a_limit_takes_samples_evenly_from_all_classes(nmnist: None) -> None:
    y = tiny_sets.everything(tiny_sets.batches("nmnist", train=10, test=4).train_batches(lambda: 0))[1]
    assert len(y) == 10 and len(set(y.tolist())) >= 8


def test_batches_are_the_same_for_a_seed_and_epoch_and_cover_all_samples(nmnist: None) -> None:
    def epoch(seed: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        data = datamodules.build("nmnist", {}, 7, seed)
        return tiny_sets.everything(data.train_batches(lambda: number))

    first = epoch(0, 1)
    assert torch.equal(first[0], epoch(0, 1)[0])
    for other in (epoch(0, 2), epoch(1, 1)):
        assert not torch.equal(first[1], other[1])
        assert sorted(first[1].tolist()) == sorted(other[1].tolist())
        assert first[0].sum() == other[0].sum()


def test_memory_is_used_again_but_never_while_anything_holds_it(nmnist: None) -> None:
    data = tiny_sets.batches("nmnist", size=5)
    held_batches = list(data.train_batches(lambda: 0))  # all at once: no two may share memory
    copies = [(x.clone(), y) for x, y in data.train_batches(lambda: 0)]
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(held_batches, copies, strict=True))
    del held_batches
    addresses = set()
    view = None
    for x, _ in data.train_batches(lambda: 0):
        if view is None:
            view = x[0, 0]
            before = x[0, 0].clone()
        addresses.add(x.data_ptr())
    assert torch.equal(view, before), "a view keeps the memory too"
    assert len(addresses) <= 3
    weight = torch.ones(2312, requires_grad=True)
    outputs = [(x * weight).sum() for x, _ in data.train_batches(lambda: 0)]  # the graphs hold the batches
    torch.stack(outputs).sum().backward()
    assert weight.grad is not None
    assert torch.allclose(weight.grad, sum(x.sum((0, 1)) for x, _ in copies))


@pytest.mark.parametrize("settings", [{}, {"steps": "full", "window_ms": 10, "values": "counts"}])
def test_nothing_of_an_earlier_batch_stays_in_the_memory(nmnist: None, settings: dict) -> None:
    data = tiny_sets.batches("nmnist", size=9, **settings)
    for number in range(3):
        for x, y in data.train_batches(lambda number=number: number):
            assert x.shape[1] == len(y)
            tiny_sets.everything(data.test_batches())  # takes turns with training in the same memory
        total = sum(x.sum() for x, _ in data.train_batches(lambda number=number: number))
        packed = data.sets["train"]  # type: ignore[attr-defined]
        assert float(total) == (packed.counts.sum() if len(packed.counts) else len(packed.places))


@pytest.mark.parametrize("settings", [{}, {"steps": "full", "window_ms": 10, "values": "counts"}])
def test_batches_of_events_are_the_dense_ones(nmnist: None, settings: dict) -> None:
    dense = tiny_sets.batches("nmnist", **settings)
    sparse = tiny_sets.batches("nmnist", **settings)
    sparse.form = "events"  # type: ignore[attr-defined]
    for (x, y), (events, z) in zip(dense.train_batches(lambda: 1), sparse.train_batches(lambda: 1), strict=True):
        assert torch.equal(x, events.dense()) and torch.equal(y, z)  # type: ignore[attr-defined]
        row = events.channels[events.starts[7] : events.starts[8]]  # type: ignore[attr-defined]
        assert (row.diff() > 0).all()


def test_frames_with_few_empty_places_have_no_batches_of_events(dvs: None) -> None:
    data = tiny_sets.batches("dvs-gesture")
    data.form = "events"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no batches of events"):
        next(iter(data.test_batches()))


# what is wrong with a file, and what is said


def test_a_set_that_is_not_there_says_how_to_get_it(places: Path) -> None:
    for name in (
        "shd",
        "ssc",
        "nmnist",
        "nmnist-subset",
        "nmnist-7",
        "dvs-gesture",
        "dvs-gesture-clips",
        "cifar10",
        "cifar10-subset",
    ):
        with pytest.raises(DataError, match=f"bench data fetch {name}"):
            tiny_sets.batches(name)


def test_a_stand_in_is_used_only_when_it_is_complete(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setitem(
        sources.SOURCES, "nmnist-standin", replace(sources.SOURCES["nmnist-standin"], samples={"train": 3, "test": 2})
    )
    folder = sources.folder("nmnist-standin")
    for top, count in (("Train", 3), ("Test", 2)):
        for i in range(count):
            path = folder / top / str(i) / f"{i + 1:05}.bin"
            path.parent.mkdir(parents=True)
            path.write_bytes(tiny_sets.bin_file(tiny_sets.camera(rng, 34, 300, 300_000)))
    manifest = {
        "complete": False,
        "recipe": {"version": sources.SOURCES["nmnist-standin"].version},
        "samples": {"train": 3, "test": 2},
    }
    for content in (
        None,
        manifest,
        {**manifest, "complete": True, "recipe": {"version": 0}},
        {**manifest, "complete": True, "samples": {"train": 3}},
    ):
        if content:
            (folder / "standin.json").write_text(json.dumps(content))
        assert sources.missing("nmnist-standin") and sources.status("nmnist-standin")["state"] == "missing"
        with pytest.raises(DataError, match="python -m datamodules.standins nmnist"):
            tiny_sets.batches("nmnist-standin")
    (folder / "standin.json").write_text(json.dumps({**manifest, "complete": True}))
    assert not sources.missing("nmnist-standin")
    x, y = tiny_sets.everything(tiny_sets.batches("nmnist-standin").test_batches())
    assert x.shape == (15, 2, 2312) and y.tolist() == [0, 1]
    with pytest.raises(DataError, match="not downloaded"):
        sources.fetch("nmnist-standin", print)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("shd", {"bin_ms": 0}, "bin_ms"),
        ("nmnist", {"window_ms": 0}, "window_ms"),
        ("nmnist", {"window_ms": 2.5}, "window_ms"),
        ("nmnist", {"steps": "all"}, "full"),
        ("nmnist", {"values": "sum"}, "binary, counts"),
        ("dvs-gesture", {"steps": 0}, "steps"),
        ("shd", {"validation": 1.0}, "share of training samples"),
        ("shd", {"train": 0}, "at least 1"),
        ("cifar10", {"validation": -0.1}, "share of training samples"),
        ("cifar10", {"steps": 0}, "steps"),
    ],
)
def test_impossible_settings_are_refused(name: str, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datamodules.build(name, settings, 1, 0)


# the real subsets, where they are


@pytest.fixture
def home_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_HOME", str(tmp_path))


def test_the_real_recordings_of_nmnist_are_separable_by_their_event_counts(home_only: None) -> None:
    tiny_sets.subset_here("nmnist-subset")
    data = tiny_sets.batches("nmnist-subset", size=1000, window_ms=10, steps="full", values="counts")
    (train, labels), (test, truth) = (
        tiny_sets.everything(b) for b in (data.train_batches(lambda: 0), data.test_batches())
    )
    assert np.bincount(truth).tolist() == [8, 14, 8, 11, 14, 7, 10, 15, 2, 11]
    assert np.bincount(labels).tolist() == [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
    x, z = (torch.log1p(part.sum(0)) for part in (train, test))
    weight = torch.linalg.solve(x.T @ x + 300 * torch.eye(2312), x.T @ torch.nn.functional.one_hot(labels).float())
    assert ((z @ weight).argmax(1) == truth).float().mean() > 0.75
    per_sample = float(train.sum() / 1000)
    assert 4000 < per_sample < 4300
    rate = train.sum((1, 2))
    assert rate.argmax() not in (0, 29) and (rate[[10, 20]] < rate.max() / 2).all(), "three bursts, one a saccade"


def test_the_real_clips_of_dvs_gesture_fill_their_frames(home_only: None) -> None:
    tiny_sets.subset_here("dvs-gesture-clips")
    x, y = tiny_sets.everything(tiny_sets.batches("dvs-gesture-clips").test_batches())
    assert x.shape == (16, 10, 2048) and y.tolist() == list(range(10))
    per_frame = x.sum(2)
    assert (per_frame[:-1] == per_frame[0]).all() and ((per_frame[-1] - per_frame[0]) < 16).all()
    assert per_frame.sum(0).min() > 60_000 and per_frame.sum(0).max() < 182_000
