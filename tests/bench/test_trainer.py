"""A training is what its recipe says, whatever variables of other tools are set."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from bench.measures import ACCURACY
from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import XOR
from bench.spec.experiment import Experiment
from bench.training import run, trained
from bench.training import trainer as trainer_module
from bench.training.background import BackgroundWriter, snapshot
from bench.training.trainer import new_trainer
from datamodules.base import SequenceData
from tests.conftest import ROOT
from tests.fake_card import CARD, Waits, fake_card

SLURM = {"SLURM_JOB_ID": "5", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "x", "SLURM_PROCID": "2", "SLURM_LOCALID": "2"}
TORCHRUN = {"RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "4", "GROUP_RANK": "1", "TORCHELASTIC_RUN_ID": "x"}
MPI = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
LIGHTNING = {
    "PL_TRAINER_MAX_EPOCHS": "7",
    "PL_TRAINER_LIMIT_TRAIN_BATCHES": "1",
    "PL_TRAINER_PRECISION": "bf16-mixed",
    "PL_TRAINER_FAST_DEV_RUN": "1",
    "PL_TRAINER_ACCUMULATE_GRAD_BATCHES": "3",
    "PL_TRAINER_DEVICES": "2",
    "PL_TRAINER_GRADIENT_CLIP_VAL": "0.1",
}


@pytest.mark.parametrize("variables", [SLURM, TORCHRUN, MPI, LIGHTNING], ids=["slurm", "torchrun", "mpi", "lightning"])
def test_no_variable_of_another_tool_changes_the_trainer(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    trainer = new_trainer(max_epochs=2, gradient_clip_val=None, logger=False)
    assert (trainer.world_size, trainer.global_rank, trainer.local_rank, trainer.node_rank) == (1, 0, 0, 0)
    assert (trainer.max_epochs, trainer.limit_train_batches, trainer.precision) == (2, 1.0, "32-true")
    assert (trainer.fast_dev_run, trainer.accumulate_grad_batches, trainer.gradient_clip_val) == (False, 1, None)
    assert trainer.num_devices == 1


def test_every_argument_of_the_trainer_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Lightning takes those that are not given from variables PL_TRAINER_…"""
    given: dict[str, object] = {}
    monkeypatch.setattr(pl, "Trainer", lambda **settings: given.update(settings))
    new_trainer(max_epochs=1)
    from bench.training.trainer import DEFAULTS

    assert DEFAULTS.keys() <= given.keys() and len(DEFAULTS) > 30


def test_kernels_are_compiled_even_where_numba_is_told_not_to() -> None:
    code = "from lightning_modules.scan import kernels; print(type(kernels.numba.njit(lambda x: x + 1)).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "NUMBA_DISABLE_JIT": "1", "HOME": "/tmp"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Dispatcher" in done.stdout


def test_products_on_a_card_have_all_bits_and_new_memory_is_not_filled_first() -> None:
    code = (
        "import bench.training.run, torch;"
        " print(torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32,"
        " torch.utils.deterministic.fill_uninitialized_memory)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["False"] * 3, done.stderr


@pytest.fixture
def written_behind(monkeypatch: pytest.MonkeyPatch) -> list[BackgroundWriter]:
    """Trainings write their checkpoints as on a card; the writers."""
    writers: list[BackgroundWriter] = []

    def plugins() -> list[object]:
        writers.append(BackgroundWriter())
        return [trainer_module.OneProcess(), writers[-1]]

    monkeypatch.setattr(trainer_module, "plugins", plugins)
    return writers


def test_checkpoints_of_a_card_are_written_by_a_thread_and_a_stopped_training_goes_on_from_them(
    places: Path, written_behind: list[BackgroundWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = replace(XOR, budgets={"smoke": {"epochs": 3, "batch_size": 20, "data_settings": {"batches": 2, "test": 20}}})
    experiment = Experiment(task, LIF, 0, "smoke")
    whole, _ = run.run(experiment, (ACCURACY,))
    (trained.folder(experiment) / "weights.pt").unlink()
    checks = iter(range(100))

    def stop() -> None:
        if next(checks) == 8:  # after the first epoch's batches and evaluation, in a later one
            raise SystemExit(75)

    with pytest.raises(SystemExit):
        run.run(experiment, (ACCURACY,), check=stop)
    assert written_behind[-1].pending is None  # the end of the training has waited for it
    saved = torch.load(trained.checkpoint_file(experiment), weights_only=True)
    assert 1 <= len(saved["history"]) < 3
    again, _ = run.run(experiment, (ACCURACY,))
    assert [line.checkpoint_sha256 for line in again] == [line.checkpoint_sha256 for line in whole]


def test_a_snapshot_is_not_changed_by_what_follows_and_a_failed_write_is_told(tmp_path: Path) -> None:
    weights = torch.zeros(2)
    history = [{"epoch": 1}]
    content = {"state": {"weights": weights}, "history": history, "pair": (1, weights)}
    writer = BackgroundWriter()
    writer.save_checkpoint(content, tmp_path / "a.ckpt")
    weights += 1
    history.append({"epoch": 2})
    writer.wait()
    kept = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert kept["state"]["weights"].tolist() == kept["pair"][1].tolist() == [0, 0]
    assert kept["history"] == [{"epoch": 1}]
    writer.save_checkpoint(content, tmp_path / "a.ckpt" / "b.ckpt")  # a file is no folder
    with pytest.raises(OSError, match="a.ckpt"):
        writer.teardown()


@pytest.mark.parametrize(("start", "together"), [("own", 4), ("uniform", 1)])
def test_on_a_card_batches_are_made_for_it_and_joined_unless_states_are_drawn_for_each(
    start: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = torch.device("cuda", 0)
    monkeypatch.setattr(run, "training_device", lambda: card)
    data = SequenceData(10, 0)
    run._choose_form(data, SimpleNamespace(network=SimpleNamespace(start=start, takes_events=True)))  # type: ignore[arg-type]
    assert (data.device, data.together, data.form) == (card, together, "small")


def test_a_checkpoint_is_copied_from_a_card_without_a_wait_for_each_tensor() -> None:
    with fake_card():
        content = {"a": torch.zeros(3, device=CARD), "b": [torch.zeros(2, device=CARD), {"step": torch.zeros(())}]}
        with Waits() as waits:
            copied = snapshot(content)
    assert waits.found == []
    assert copied["a"].device.type == copied["b"][0].device.type == "cpu"
