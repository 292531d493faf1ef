"""Weights that are handed on serve as if they were trained here, and a file that is not right changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from safetensors import safe_open

from bench import api
from bench.__main__ import cli
from bench.errors import BenchError
from bench.ledger import provenance, store
from bench.measures import ACCURACY
from bench.training import run, trained, weights_file
from tests.bench.conftest import XOR_CELL

TABLE, ROW, COLUMN = XOR_CELL
OPTIONS = ["--row", ROW, "--column", COLUMN, "--budget", "smoke"]
Content = tuple[dict[str, str], dict[str, torch.Tensor]]


def content(path: Path) -> Content:
    with safe_open(path, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["weights", *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stderr


@pytest.fixture
def exported(xor_trained: Path) -> Path:
    """A file of ``XOR_CELL``, exported by the command."""
    file = xor_trained / "xor.safetensors"
    assert "wrote" in invoke("export", TABLE, *OPTIONS, "--out", str(file))
    return file


@pytest.fixture
def fresh(xor_trained: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; the exported file is beside it."""
    monkeypatch.setenv("BENCH_HOME", str(xor_trained / "fresh"))
    (xor_trained / "fresh").mkdir()
    return xor_trained / "fresh"


def test_the_file_describes_its_experiment(exported: Path) -> None:
    metadata, tensors = content(exported)
    network = api.trained(*XOR_CELL, budget="smoke")
    experiment = network.experiment
    assert metadata["experiment"] == experiment.id and json.loads(metadata["config"]) == experiment.config
    assert (metadata["task"], metadata["model"], metadata["seed"], metadata["budget"]) == ("xor", "lif", "0", "smoke")
    assert (metadata["versions"], metadata["sha256"]) == (experiment.versions, network.sha256)
    assert json.loads(metadata["environment"])["torch"] == torch.__version__.split("+")[0]
    (line,) = {x.git_commit for x in store.read(exported.parent / "home" / "exploratory")}
    assert metadata["commit"] == line
    assert torch.equal(tensors["best_test/layers.0.linear.weight"], network.network.stack[0].linear.weight)


def test_imported_weights_give_the_same_results_without_training(
    fresh: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [x for x in store.read(fresh.parent / "home" / "exploratory") if x.measure == "accuracy"]
    with pytest.raises(BenchError, match="has no weights"):
        api.trained(*XOR_CELL, budget="smoke")
    assert "imported xor / lif / seed 0 / smoke" in invoke("import", str(exported))
    network = api.trained(*XOR_CELL, budget="smoke")
    by_protocol = {line.protocol: line for line in before}
    assert network.accuracy() == by_protocol["best_test"].value
    assert network.sha256 == before[0].checkpoint_sha256

    monkeypatch.setattr(run, "_train", lambda *a: pytest.fail("trained again"))
    monkeypatch.setenv("BENCH_RESULTS", str(fresh / "exploratory"))
    lines, _ = run.run(network.experiment, (ACCURACY,))
    same = ("value", "protocol", "checkpoint_sha256", "spike_rate", "environment", "git_commit", "started_utc", "steps")
    rows = [[tuple(line.texts()[store.HEADER.index(name)] for name in same) for line in x] for x in (lines, before)]
    assert sorted(rows[0]) == sorted(rows[1])
    assert provenance.rows({before[0].environment})  # the ledger that is in use knows where they were trained


def test_what_is_imported_can_be_exported_again_to_the_same_content(fresh: Path, exported: Path) -> None:
    network = api.import_weights(exported)
    api.export_weights(network, fresh / "again.safetensors")
    again = content(fresh / "again.safetensors")
    assert again[0] == content(exported)[0]
    assert again[0]["content_sha256"] == weights_file.content_sha256(*again)
    assert api.import_weights(exported).sha256 == network.sha256  # the same again is no conflict


def test_other_weights_of_the_experiment_stay_and_are_named(fresh: Path, exported: Path) -> None:
    network = api.import_weights(exported)
    for value in network.weights.states["last"].values():
        value.add_(1.0)
    del network.weights.__dict__["sha256"]  # computed before
    trained.write(network.weights)
    with pytest.raises(BenchError, match=f"has other weights of xor / lif / seed 0 / smoke .*{network.sha256[:12]}"):
        api.import_weights(exported)
    assert api.trained(*XOR_CELL, budget="smoke").sha256 == network.sha256


def test_results_of_other_weights_in_the_ledger_are_named(fresh: Path, exported: Path) -> None:
    ledger = fresh.parent / "home" / "exploratory" / "runs" / "xor.csv"
    sha256 = content(exported)[0]["sha256"]
    (fresh / "exploratory" / "runs").mkdir(parents=True)
    (fresh / "exploratory" / "runs" / "xor.csv").write_text(ledger.read_text().replace(sha256, "f" * 64))
    assert "has results of other weights (ffffffffffff)" in invoke("import", str(exported))


def without(name: str) -> Callable[[Content], None]:
    return lambda content: content[0].pop(name) and None


def changed(**values: str) -> Callable[[Content], None]:
    return lambda content: content[0].update(values)


def other_setting(content: Content) -> None:
    changed(config=json.dumps(json.loads(content[0]["config"]) | {"lr": 0.5}), experiment="0" * 12)(content)


def other_shape(content: Content) -> None:
    content[1]["last/layers.0.linear.weight"] = torch.zeros(16, 21)


def not_finite(content: Content) -> None:
    content[1]["best_test/layers.0.linear.bias"][3] = float("nan")


def moved(content: Content) -> None:
    content[1]["best_test/layers.0.linear.bias"][3] += 1.0


def no_last(content: Content) -> None:
    for name in [name for name in content[1] if name.startswith("last/")]:
        del content[1][name]


BROKEN: dict[str, tuple[Callable[[Content], None], str]] = {
    "no metadata": (
        lambda content: content[0].clear(),
        "do not describe an experiment of this suite; .* weights export",
    ),
    "a field is missing": (without("history"), "its metadata lack history"),
    "another format": (changed(format="weights 9"), "its format is 'weights 9'"),
    "history is no history": (changed(history="{"), "history in its metadata is not what an export writes"),
    "seed is no number": (changed(seed="one"), "a seed is a whole number"),
    "unknown task": (changed(task="xorr"), "unknown task 'xorr'; did you mean xor"),
    "unknown model": (changed(model="lift"), "unknown model 'lift'; did you mean lif"),
    "unknown budget": (changed(budget="smok"), "unknown budget 'smok'"),
    "other versions": (
        changed(versions="task=0 lif=0", experiment="0" * 12),
        "trained with the versions task=0 lif=0; this suite has task=1 leaky-readout=1 lif=1",
    ),
    "another setting": (other_setting, "it was trained with lr 0.5; here xor / lif / seed 0 / smoke has 0.01"),
    "other data": (changed(data_hash="0" * 12, experiment="0" * 12), "other files of delayed-xor"),
    "another id": (changed(experiment="0" * 12), "it is of experiment 000000000000; here xor / lif .* has the id"),
    "other shape": (other_shape, r"weights last: .*layers.0.linear.weight is \[16, 20\], there \[16, 21\]"),
    "not finite": (not_finite, "weights best_test: layers.0.linear.bias is not finite"),
    "changed content": (moved, "not what was exported .another sha256."),
    "no last weights": (no_last, "no weights of the last epoch"),
}


def refused(file: Path, fresh: Path, message: str) -> None:
    with pytest.raises(BenchError, match=message) as error:
        api.import_weights(file)
    assert str(error.value).startswith(f"{file}: ")
    assert not list(fresh.iterdir())


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_not_right_is_refused_with_the_reason_and_nothing_is_written(
    fresh: Path, exported: Path, case: str
) -> None:
    breaks, message = BROKEN[case]
    metadata, tensors = content(exported)
    breaks((metadata, tensors))
    exported.write_bytes(safetensors.torch.save(tensors, metadata or None))
    refused(exported, fresh, message)


@pytest.mark.parametrize("rest", [0, 5, 300, -8])
def test_a_file_that_was_cut_off_is_refused(fresh: Path, exported: Path, rest: int) -> None:
    exported.write_bytes(exported.read_bytes()[:rest])
    refused(exported, fresh, "it is no safetensors file, or it was cut off")


def test_a_file_that_is_not_there_is_named(fresh: Path) -> None:
    refused(fresh.parent / "gone.safetensors", fresh, "cannot be read")


def test_weights_that_cannot_be_written_leave_nothing(
    fresh: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_half_way(_: object, path: Path) -> None:
        path.write_bytes(b"half of the weights")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", stop_half_way)
    with pytest.raises(BenchError, match="cannot write weights below .*No space left on device"):
        api.import_weights(exported)
    assert not list(fresh.rglob("weights*"))


def test_a_file_that_cannot_be_written_is_named(xor_trained: Path) -> None:
    network = api.trained(*XOR_CELL, budget="smoke")
    with pytest.raises(BenchError, match="cannot write .*nowhere"):
        weights_file.export(network.weights, xor_trained / "nowhere" / "xor.safetensors")
