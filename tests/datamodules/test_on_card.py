"""Batches for a card are those of the CPU to the last bit, cross in few bytes, and never make the host wait.

There is no card: the same code runs on tensors of the CPU, and on fake tensors that say they are on a card.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.arrays import Arrays
from datamodules.base import Batches, SequenceData
from datamodules.memory_tasks import Adding, CopyMemory
from datamodules.mnist import MNIST
from datamodules.on_card import Bits, Rows, Stored, on_card, pack, sent
from datamodules.packed import PackedSplit
from datamodules.sequential_mnist import SequentialMNIST
from datamodules.sources import Source
from datamodules.xor import DelayedXOR
from tests.datamodules import tiny_sets
from tests.datamodules.test_data import tiny_mnist  # noqa: F401
from tests.datamodules.test_event_sets import dvs, nmnist, shd  # noqa: F401
from tests.fake_card import CARD, Waits, fake_card

CPU = torch.device("cpu")


def same(build: Callable[[], SequenceData], together: int = 1) -> SequenceData:
    """Compare all batches of a data module as they are with those for a card; the latter module."""
    plain = build()
    placed = build()
    placed.place(CPU, together)
    for batches in (lambda data: data.train_batches(lambda: 2), lambda data: data.test_batches()):
        dense = list(batches(plain))
        small = list(placed.placed(batches(placed)))
        if together > 1 and batches(placed).stream != 0:
            assert len(small) == len(placed.placed(batches(placed)))
            dense = [(torch.cat([x for x, _ in dense], 1), torch.cat([y for _, y in dense]))]
            small = [(torch.cat([x for x, _ in small], 1), torch.cat([y for _, y in small]))]
        assert len(dense) == len(small) > 0
        for (x, target), (y, target_there) in zip(dense, small, strict=True):
            assert x.dtype == y.dtype and torch.equal(x, y)
            assert torch.equal(target, target_there)
    return placed


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (MNIST, {"steps": 7}),
        (MNIST, {"steps": 3, "encoding": "current"}),
        (SequentialMNIST, {"permutation": 1234, "scale": "standard"}),
        (SequentialMNIST, {"window": 5, "scale": "bipolar"}),
        (SequentialMNIST, {"scale": "binary"}),
        (SequentialMNIST, {"coding": "lsnn", "permutation": 5}),
    ],
)
@pytest.mark.parametrize("together", [1, 2])
def test_images_are_the_same_on_a_card(
    kind: Any,
    settings: dict,
    together: int,
    tiny_mnist: Source,  # noqa: F811
) -> None:
    def build() -> SequenceData:
        data = kind(batch_size=8, seed=3, validation=0.2, **settings)
        data.setup()
        return data

    same(build, together)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("shd", {}),
        ("nmnist", {}),
        ("nmnist", {"values": "counts"}),
        ("dvs", {}),
        ("dvs", {"clamp": True}),
    ],
)
def test_event_sets_are_the_same_on_a_card(name: str, settings: dict, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(name)
    title = {"dvs": "dvs-gesture"}.get(name, name)
    data = same(lambda: tiny_sets.batches(title, size=7, **settings), together=2)
    binary = settings.get("values") != "counts" and name != "dvs"
    assert set(data.stored) == ({"train", "test"} if binary else set())  # type: ignore[attr-defined]


def test_a_set_that_is_too_large_for_a_card_crosses_batch_by_batch(
    shd: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("datamodules.event_data.LARGEST_SET", 10)
    assert same(lambda: tiny_sets.batches("shd", size=7)).stored == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [DelayedXOR, Adding, CopyMemory])
def test_generated_data_is_the_same_on_a_card(kind: Any) -> None:
    same(lambda: kind(4, 3, batches=3, test=10), together=2)


def test_own_arrays_are_the_same_on_a_card() -> None:
    def made_by() -> dict[str, tuple[Any, Any]]:
        rng = np.random.default_rng(0)
        return {split: (rng.random((11, 5, 3)), rng.integers(0, 2, 11)) for split in ("train", "test")}

    def build() -> SequenceData:
        data = Arrays(made_by, "own", 4, 0)
        data.setup()
        return data

    same(build, together=3)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 2312])
def test_bits_are_an_eighth_of_the_bytes_and_give_the_same_numbers(width: int) -> None:
    x = torch.randint(0, 2, (3, 4, width), generator=torch.Generator().manual_seed(width))
    bits = pack(x.to(torch.uint8))
    assert bits.packed.nbytes == 3 * 4 * -(-width // 8)
    assert torch.equal(bits.dense(), x.float())


def test_packed_events_become_bits_and_counts_do_not() -> None:
    places = np.array([0, 9, 12, 3, 19], np.uint16)  # 2 steps of 10 channels
    offsets = np.array([0, 3, 3, 5])
    labels = torch.zeros(3, dtype=torch.long)
    split = PackedSplit(labels, 2, 10, places, np.empty(0, np.uint16), offsets)
    rows = np.array([2, 0])
    assert torch.equal(Bits(split.bits(rows).transpose(0, 1), 10).dense(), split.events(rows).dense())
    with pytest.raises(ValueError, match="counts"):
        PackedSplit(labels, 2, 10, places, np.ones(5, np.uint8), offsets).bits(rows)


def test_the_host_does_not_wait_for_a_batch_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)
    with fake_card():
        stored = Stored(torch.zeros(20, 5, 2, dtype=torch.uint8))
        stored.on(CARD)  # the set crosses once, before the first step
        with Waits() as waits:
            batches = [
                on_card(torch.zeros(5, 3, 4), CARD),
                on_card(torch.zeros(3, 4).expand(5, 3, 4), CARD),
                on_card(Bits(torch.zeros(5, 3, 2, dtype=torch.uint8), 11), CARD),
                on_card(Rows(stored, torch.zeros(3, dtype=torch.long), lambda x: Bits(x, 11).dense()), CARD),
            ]
    assert waits.found == []
    assert [tuple(batch.shape) for batch in batches] == [(5, 3, 4), (5, 3, 4), (5, 3, 11), (3, 5, 11)]
    assert {batch.device for batch in batches} == {CARD}


def test_what_crosses_is_a_copy_in_pinned_memory_since_its_own_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: pinned.append(1) or self)
    with fake_card():
        sent(torch.zeros(3, 4), CARD)
        sent(torch.zeros(3, 4, device=CARD), CARD)
    assert pinned == [1]


def failing(indices: np.ndarray, rng: np.random.Generator) -> Any:
    if 3 in indices:
        raise OSError("the file is gone")
    return torch.zeros(2, len(indices), 1), torch.zeros(len(indices))


def test_an_error_while_a_batch_is_made_ahead_reaches_the_training_and_no_thread_stays() -> None:
    batches = Batches(10, 2, failing, 0, 1)
    batches.device = CPU
    taken: Iterator[Any] = iter(batches)
    next(taken)
    with pytest.raises(OSError, match="the file is gone"):
        next(taken)
    left = iter(batches)
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
