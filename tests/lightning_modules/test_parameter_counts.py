"""The networks of the celif tables have as many parameters as the published ones."""

from __future__ import annotations

import pytest
import torch

from bench.papers.celif.models import CELIF_154K, CELIF_EMBEDDINGS
from bench.papers.celif.tasks import PS_MNIST, SEQ_MNIST
from bench.papers.registry import MODELS, TABLES
from bench.spec.experiment import Experiment
from lightning_modules.spiking import SpikingModule

COUNTS = {
    "lif-ff": 85_130,
    "plif-ff": 85_133,
    "ltmd-ff": 85_133,
    "glif-ff": 85_362,
    "celif-84k": 83_562,
    "celif-154k": 153_962,
    "lif-rec": 155_082,
    "plif-rec": 155_085,
    "ltmd-rec": 155_085,
    "alif-yin": 156_254,
    "glif-rec": 157_455,
    "celif-rec-158k": 158_386,
    "celif-rec-181k": 181_378,
    "lstm-128": 66_560,
    "lsnn": 68_200,
    "deep-r-lsnn": 66_360,
    "dexat": 68_200,
    "ahp": 68_200,
    "tcn": 66_910,
    "indrnn": 86_410,
    "celif-embedding-s": 34_794,
    "celif-embedding-v": 34_794,
    "celif-embedding-te-s": 153_962,
}
TABLE_MODELS = {
    c.model.name: c.model
    for name in ("celif-1", "celif-2", "celif-3")
    for c in TABLES[name].cells
    if c.runnable and c.model
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_are_those_of_the_ledger(name: str) -> None:
    assert SpikingModule(Experiment(SEQ_MNIST, MODELS[name], 0, "paper").config).network.parameter_count == COUNTS[name]


@pytest.mark.parametrize("windows", [(SEQ_MNIST, 156_702), (PS_MNIST, 156_446)], ids=["8 pixels", "4 pixels"])
def test_the_pixel_windows_of_yin_s_networks_count_as_published(windows) -> None:
    task, count = windows
    assert (
        SpikingModule(Experiment(task, MODELS["alif-yin-windows"], 0, "paper").config).network.parameter_count == count
    )


def test_every_row_of_celif_1_can_be_trained() -> None:
    table = TABLES["celif-1"]
    assert len({c.row for c in table.cells if not c.extra}) == 18
    assert {c.row for c in table.cells if c.runnable} == set(table.rows)


@pytest.mark.parametrize("model", TABLE_MODELS.values(), ids=TABLE_MODELS)
def test_every_network_takes_a_training_step_and_every_parameter_has_a_finite_gradient(model) -> None:
    torch.manual_seed(0)
    config = Experiment(SEQ_MNIST, model, 0, "laptop").config
    module = SpikingModule(config)
    x = torch.rand(40, 3, config["layers"][0])
    y = torch.tensor([1, 5, 9])
    if config["layers"][0] == 80:
        x = (x < 0.1).float()
    loss, scores = module.objective(module(x), y, **module.loss_settings)
    assert scores.shape == (3, 10)
    loss.backward()
    for name, p in module.named_parameters():
        assert not p.requires_grad or (p.grad is not None and bool(torch.isfinite(p.grad).all())), name
    optimiser = module.configure_optimizers()
    assert (optimiser["optimizer"] if isinstance(optimiser, dict) else optimiser).param_groups[0]["lr"] == config["lr"]


def test_the_sixth_embedding_is_the_153_9k_network_but_for_a_reduced_budget() -> None:
    own = CELIF_EMBEDDINGS[-1]
    assert Experiment(SEQ_MNIST, own, 0, "paper").id == Experiment(SEQ_MNIST, CELIF_154K, 0, "paper").id
    epochs = {m.name: Experiment(SEQ_MNIST, m, 0, "laptop").config["epochs"] for m in CELIF_EMBEDDINGS}
    longer = {"celif-embedding-v": 3, own.name: 3}  # claims compare them with the others after the first epoch
    assert epochs == {m.name: 1 for m in CELIF_EMBEDDINGS} | longer
