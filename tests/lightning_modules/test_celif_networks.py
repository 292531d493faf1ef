"""Networks of celif's tables: parameter counts, one TE for all layers, initial weights, and training with what neurons
ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_modules.networks.dense import Dense
from lightning_modules.networks.lsnn import LSNNNetwork
from lightning_modules.neurons.indrnn import IndRNN
from lightning_modules.spiking import SpikingModule

pytestmark = pytest.mark.usefixtures("one_thread")
WIDE = (1, 64, 256, 256, 10)
CELIF_WIDE = (1, 64, 152, 152, 10)
LAYER_WISE = {"per_neuron": False}


@pytest.mark.parametrize(
    ("layers", "neuron", "settings", "recurrent", "readout", "expected"),
    [
        (WIDE, "lif", {}, False, "linear-mean", 85_130),
        (WIDE, "plif", {}, False, "linear-mean", 85_133),
        (WIDE, "ltmd", {}, False, "linear-mean", 85_133),
        ((1, 24, 40, 40, 10), "glif", {}, False, "linear-mean", 85_362),
        ((1, 64, 88, 88, 10), "celif", {}, False, "linear-mean", 83_562),
        (CELIF_WIDE, "celif", {}, False, "linear-mean", 153_962),
        (CELIF_WIDE, "celif", {"embedding": "v"}, False, "linear-mean", 34_794),
        (WIDE, "lif", {}, True, "linear-mean", 155_082),
        (WIDE, "plif", {}, True, "linear-mean", 155_085),
        (WIDE, "ltmd", {}, True, "linear-mean", 155_085),
        (WIDE, "alif", {}, True, "spiking", 156_254),
        (WIDE, "glif", LAYER_WISE, True, "linear-mean", 157_455),
        ((1, 36, 72, 72, 10), "glif", {}, True, "linear-mean", 157_690),
        ((1, 64, 136, 136, 10), "celif", {}, True, "linear-mean", 158_386),
        (CELIF_WIDE, "celif", {}, True, "linear-mean", 181_378),
    ],
)
def test_parameter_counts_are_those_of_tables_1_and_3(
    layers: tuple[int, ...], neuron: str, settings: dict, recurrent: bool, readout: str, expected: int
) -> None:
    assert (
        Dense(layers, neuron, settings, readout, recurrent, recurrent_layers=2, recurrent_bias=True).parameter_count
        == expected
    )


@pytest.mark.parametrize(
    ("readout", "layers"), [("linear-mean", (1, 4, 6, 3)), ("spiking", (1, 4, 6)), ("spiking", (1, 6))]
)
def test_all_layers_of_celif_share_one_te_as_wide_as_the_widest(readout: str, layers: tuple[int, ...]) -> None:
    network = Dense(layers, "celif", {"steps": 5}, readout)
    assert {id(n.te) for n in network.neurons} == {id(network.neurons[0].te)}
    assert network.neurons[0].te.shape == (6, 5)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="5 columns, the input 6 steps"):
        network(torch.zeros(6, 1, 1))
    assert network(torch.zeros(1, 1, 1)).shape == (1, 1, layers[-1])


def test_initial_weights_of_alif_are_those_of_the_public_code() -> None:
    torch.manual_seed(0)
    for init, matrix in (("xavier-orthogonal", torch.eye(30)), ("xavier-zero", torch.zeros(30, 30))):
        layer = Dense((20, 30, 4), "alif", {}, recurrent=True, init=init, recurrent_bias=True).stack[0]
        assert layer.recurrent is not None and layer.recurrent_bias is not None
        assert torch.allclose(layer.recurrent @ layer.recurrent.t(), matrix, atol=1e-5)
        assert not bool(layer.recurrent_bias.any()) and not bool(layer.linear.bias.any())
        bound = (6 / (20 + 30)) ** 0.5
        assert 0.95 * bound < float(layer.linear.weight.detach().abs().max()) <= bound


def config(**changes: Any) -> dict[str, Any]:
    return {
        "network": "lsnn",
        "layers": [6, 12, 3],
        "neuron": {"name": "lsnn"},
        "readout": "filtered-mean",
        "recurrent": True,
        "init": "default",
        "network_settings": {"connectivity": 0.3, "last": 4},
        "loss": "mean-ce",
        "loss_settings": {},
        "optimiser": "adam",
        "lr": 1e-2,
        "lr_neuron": 1.0,
        "schedule": {},
        "seed": 0,
        **changes,
    }


def batches() -> DataLoader:
    torch.manual_seed(5)
    data = [((torch.rand(20, 8, 6) < 0.3).float(), torch.randint(3, (8,))) for _ in range(4)]
    return DataLoader(data, batch_size=None)  # type: ignore[arg-type]


def fit(module: SpikingModule, epochs: int, resume: Path | None = None) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(module, batches(), batches(), ckpt_path=resume, weights_only=True)
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_rewiring_trains_with_the_shared_module_and_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    uninterrupted = SpikingModule(config())
    fit(uninterrupted, 4)
    network = uninterrupted.network
    assert isinstance(network, LSNNNetwork) and network.rewiring is not None
    assert int(network.rewiring.steps) == 16
    assert sum(int((s.matrix != 0).sum()) for s in network.rewiring.synapses) == round(
        0.3 * (6 * 12 + 12 * 12 + 12 * 3)
    )
    torch.manual_seed(0)
    fit(first := SpikingModule(config()), 2).save_checkpoint(tmp_path / "last.ckpt")
    assert not torch.equal(first.network.state_dict()["recurrent.weight"], network.state_dict()["recurrent.weight"])
    torch.manual_seed(7)
    resumed = SpikingModule(config())
    fit(resumed, 4, tmp_path / "last.ckpt")
    for (name, a), b in zip(network.state_dict().items(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def loss_of(module: SpikingModule) -> Tensor:
    module.log = lambda *_: None  # type: ignore[assignment, method-assign, misc]
    return module.training_step(next(iter(batches())), 1)


def test_the_penalty_on_rates_is_part_of_the_training_loss() -> None:
    torch.manual_seed(0)
    module = SpikingModule(config(network_settings={"last": 4, "rate_weight": 0.0}))
    without = float(loss_of(module).detach())
    assert isinstance(module.network, LSNNNetwork)
    module.network.rate_weight = 3.0
    loss = loss_of(module)
    penalty = module.network.penalty
    assert penalty is not None and float(penalty.detach()) > 0
    assert float(loss.detach()) == pytest.approx(without + float(penalty.detach()))


@pytest.mark.filterwarnings("ignore")
def test_a_bound_on_a_neuron_s_parameter_holds_after_every_step() -> None:
    torch.manual_seed(0)
    changes = {
        "network": "dense",
        "neuron": {"name": "indrnn", "steps": 20},
        "readout": "linear-mean",
        "recurrent": False,
        "lr": 1.0,
    }
    module = SpikingModule(config(**changes, network_settings={}))
    fit(module, 1)
    (neuron,) = module.network.neurons
    assert isinstance(neuron, IndRNN)
    assert float(neuron.u.detach().abs().max()) == pytest.approx(5 ** (1 / 20))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [6, 13, 3]}, r"another network: .* is \[13\], there \[12\]|another network: .*\[1[23]"),
        ({"network_settings": {"last": 4}}, "another network: it has network.incoming.signs too|another network"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(change: dict, message: str) -> None:
    checkpoint = {"state_dict": SpikingModule(config()).state_dict(), "history": [], "best": {}}
    with pytest.raises(ValueError, match=message):
        SpikingModule(config(**change)).on_load_checkpoint(checkpoint)
