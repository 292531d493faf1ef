"""A batch, an evaluation and a measure on a card: no tensor is left behind on the host, and the host does not wait.

There is no card: tensors are fake ones that say they are on one. Only forward passes run so.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.measures import evaluation
from bench.speed.gpu import cases
from datamodules.packed import Events
from lightning_modules import networks, scan
from lightning_modules.networks import rnn
from lightning_modules.scan import fused, kernels
from lightning_modules.spiking import SpikingModule
from tests.fake_card import CARD, Waits, fake_card, moved

SIZES = cases.Sizes(5, 3, 6, 1, 8)
CONFIG = {
    "network": "dense",
    "layers": [6, 8, 10],
    "neuron": {"name": "lif"},
    "network_settings": {},
    "readout": "spiking",
    "recurrent": False,
    "init": "default",
    "loss": "mean-ce",
    "loss_settings": {},
    "optimiser": "adam",
    "lr": 1e-3,
    "lr_neuron": 1.0,
    "schedule": {},
    "seed": 0,
}


class Launched:
    """In the place of a printed kernel module: kernels that do nothing."""

    def __getattr__(self, name: str) -> Any:
        return Launched()

    def __getitem__(self, grid: Any) -> Any:
        return lambda *arguments, **settings: None


def network_of(kind: str) -> tuple[networks.Network, Tensor]:
    """Of ``kind``, without the rewiring, which the host takes part in at every step."""
    without = cases.KINDS["lsnn-delays"] | {"network_settings": {"delays": 3, "last": 3}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cases.KINDS, "lsnn-delays", without)
        return cases.network_of(kind, SIZES)


@pytest.mark.parametrize("backend", ["loop", "gpu"])
@pytest.mark.parametrize("kind", cases.KINDS)
def test_no_network_mixes_devices_or_makes_the_host_wait(
    kind: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "load", lambda source, title: Launched())
    fused._traced.clear()
    normalised = kind in ("indrnn", "resnet18")  # the fake normalisation of a batch needs a driver
    with fake_card(), scan.using(backend):
        network, x = network_of(kind)
        moved(network)
        with Waits() as waits:
            if not normalised:
                network.train()(x.to(CARD, non_blocking=True))
            output, _ = network.eval().observe(x.to(CARD, non_blocking=True))
    fused._traced.clear()
    assert output.device == CARD
    assert waits.found == []


@pytest.mark.parametrize("split", ["training", "test"])
def test_a_step_of_training_and_of_evaluation_does_not_wait_for_the_card(
    split: str,
) -> None:
    with fake_card(), scan.using("loop"):
        module = SpikingModule(CONFIG)
        moved(module)
        module.train_loss = torch.zeros((), device=CARD)
        batch = torch.zeros(5, 3, 6, device=CARD), torch.zeros(3, dtype=torch.long, device=CARD)
        with Waits() as waits:
            if split == "training":
                module.train().training_step(batch, 1)
            else:
                module.eval().validation_step(batch, 0)
                module.validation_step(batch, 1)
    assert waits.found == []
    assert split == "training" or (module.right[0].device == CARD and module.tallies["test"].samples == 6)


def test_accuracy_is_read_from_the_card_after_the_last_batch() -> None:
    taken = []

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(4):
            taken.append(1)
            yield torch.zeros(5, 3, 6, device=CARD), torch.zeros(3, dtype=torch.long, device=CARD)

    with fake_card(), scan.using("loop"), Waits() as waits:
        module = SpikingModule(CONFIG)
        moved(module)
        waits.found.clear()
        data = SimpleNamespace(test_batches=batches, place=lambda device: None, placed=lambda made: made)
        with pytest.raises(Exception):  # noqa: B017 (a fake tensor has no number to read)
            evaluation.accuracy(module.eval(), data)  # type: ignore[arg-type]
    assert len(taken) == 4
    assert [place for place in waits.found if "evaluation" not in place] == []


def test_events_on_a_card_become_dense_there_without_the_host() -> None:
    with fake_card():
        events = Events(
            torch.zeros(16, dtype=torch.long, device=CARD),
            torch.zeros(7, dtype=torch.int32, device=CARD),
            torch.zeros(7, device=CARD),
            (5, 3, 6),
        )
        with Waits() as waits:
            assert events.dense().shape == (5, 3, 6)
    assert waits.found == []


def test_what_makes_the_host_wait_is_found() -> None:
    with fake_card():
        x = torch.zeros(3, device=CARD)
        with Waits() as waits:
            with pytest.raises(Exception, match="nonzero"):
                torch.ops.aten.nonzero(x)
            torch.zeros(3).to(CARD)
            torch.zeros(3).to(CARD, non_blocking=True)
        with pytest.raises(Exception, match="device"):
            torch.add(x, torch.zeros(3))
    assert len(waits.found) == 2


def test_a_recurrent_layer_in_evaluation_has_a_gradient_on_a_card() -> None:
    """cuDNN refuses it: an attack and a gradient with respect to the input need torch's own layer."""
    on_card: Any = SimpleNamespace(is_cuda=True)
    before = torch.backends.cudnn.enabled
    with rnn.differentiable(on_card, training=False):
        assert not torch.backends.cudnn.enabled
    assert torch.backends.cudnn.enabled == before
    with rnn.differentiable(on_card, training=True):
        assert torch.backends.cudnn.enabled == before
    with torch.no_grad(), rnn.differentiable(on_card, training=False):
        assert torch.backends.cudnn.enabled == before
