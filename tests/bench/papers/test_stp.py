"""The recipes of the stp paper are those of its public configurations; its folder is all that the suite knows of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import papers
from bench.ledger import store
from bench.papers import registry
from bench.papers.registry import ALSO_PUBLISHED, CLAIMS, MODELS, TABLES, TASKS
from bench.papers.stp import models, models_learning
from bench.papers.stp.tasks import PS_MNIST
from bench.report import readme
from bench.spec.claim import Claim
from bench.spec.estimates import Estimate
from bench.spec.experiment import Experiment
from bench.spec.model import Model
from datamodules.sources import missing
from lightning_modules import networks
from lightning_modules.surrogate import SURROGATES
from tests.conftest import ROOT

OWN = {name: model for name, model in MODELS.items() if name.startswith("stp-")}
# layers, learning rate, threshold, half of the surrogate's alpha, first decay (None: learned from time constants)
RECIPES = {
    "stp-lif-ff": ((64, 256, 256), 5e-3, 0.5, 0.5, 1.0),
    "stp-lif-rec": ((64, 256, 256), 3e-3, 0.5, 0.3, 0.5),
    "stp-plif-ff": ((64, 256, 256), 5e-3, 0.5, 0.5, 0.9999546),
    "stp-plif-rec": ((64, 256, 256), 3e-3, 0.5, 0.3, 0.1192029),
    "stp-alif-ff": ((64, 256, 256), 5e-3, 0.3, 0.5, None),
    "stp-alif-rec": ((64, 256, 256), 1e-3, 0.3, 0.3, None),
    "stp-glif-ff": ((24, 40, 40), 5e-3, 0.5, 0.5, None),
    "stp-glif-rec": ((36, 72, 72), 5e-3, 0.3, 0.3, None),
    "stp-celif-ff": ((64, 90, 90), 3e-3, 0.5, 0.5, 0.5),
    "stp-celif-rec": ((64, 136, 136), 1e-3, 0.5, 0.3, 0.5),
}
COUNTS = {"stp-lif-ff": 85_130, "stp-lif-rec": 155_082, "stp-glif-ff": 85_362, "stp-glif-rec": 157_690}
COUNTS |= {"stp-celif-ff": 85_638, "stp-celif-rec": 158_386, "stp-tcn": 66_910}


def config(name: str) -> dict:
    return Experiment(PS_MNIST, MODELS[name], 0, "paper").config


@pytest.mark.parametrize("name", RECIPES)
def test_a_row_has_the_values_of_its_public_configuration(name: str) -> None:
    layers, lr, threshold, width, decay = RECIPES[name]
    found = config(name)
    neuron = found["neuron"]
    assert (tuple(found["layers"]), found["lr"]) == ((1, *layers, 10), lr)
    assert (neuron["threshold"], neuron["surrogate"], neuron["width"]) == (threshold, "boxcar", width)
    first = next((neuron[key] for key in ("leak", "alpha", "decay") if key in neuron), None)
    assert first == (None if decay is None else pytest.approx(decay))
    assert (found["epochs"], found["batch_size"], found["optimiser"]) == (100, 256, "adamw")
    assert found["schedule"] == ({"cosine": 100} if name == "stp-plif-rec" else {"every": 10, "factor": 0.8})
    assert found["recurrent"] == name.endswith("rec") and "clip" not in found
    decays = (3e-3, 3e-3) if "glif" in name else (0.0, 0.0)
    assert (found.get("weight_decay", 0.0), found.get("weight_decay_neuron", 0.0)) == decays


def test_the_rectangle_of_the_public_code_is_the_boxcar_of_half_its_alpha() -> None:
    import torch

    x = torch.linspace(-1, 1, 201)
    for alpha in (1.0, 0.6):
        public = (x.abs() < alpha / 2).float()
        assert torch.equal(SURROGATES["boxcar"](x, alpha / 2), public)


def test_the_multi_gaussian_of_the_public_code_is_the_suites_at_alpha_1() -> None:
    import torch

    def normal(x: torch.Tensor, mean: float, deviation: float) -> torch.Tensor:
        return torch.exp(torch.distributions.Normal(mean, deviation).log_prob(x))

    x = torch.linspace(-4, 4, 101)
    a = 0.5
    public = a * (1.15 * normal(x, 0.0, a) - 0.15 * normal(x, a, 6 * a) - 0.15 * normal(x, -a, 6 * a))
    width = models_learning.MULTI_GAUSSIAN_FF.settings["width"]
    assert torch.allclose(SURROGATES["multi_gaussian"](x, width), public, atol=1e-6)


@pytest.mark.parametrize("name", COUNTS)
def test_networks_have_the_parameters_of_the_public_layers(name: str) -> None:
    assert networks.build(config(name)).parameter_count == COUNTS[name]


@pytest.mark.parametrize("model", OWN.values(), ids=OWN)
def test_every_value_names_a_public_file_with_its_commit_or_is_a_guess(model: Model) -> None:
    sources = Experiment(PS_MNIST, model, 0, "paper").sources
    named = {name: re.findall(r"\S+\.(?:toml|py) \([0-9a-f]{7}\)", text) for name, text in sources.items()}
    unnamed = {name for name, files in named.items() if not files and "guess [U]" not in sources[name]}
    assert unnamed <= {"loss_settings", "recurrent"}  # nothing to say of the first; the second is the column
    guessed = {name for name, text in sources.items() if "guess [U]" in text}
    assert bool(guessed) == (model in (models.PLIF_FF, models_learning.TRIANGLE_FF, models_learning.SPATIAL_FF))


def test_rows_are_trained_as_long_as_those_of_the_other_table_at_laptop_budget() -> None:
    other = TASKS["ps-mnist"]
    pairs = {"stp-lif-ff": "lif-ff", "stp-lif-rec": "lif-rec", "stp-plif-rec": "plif-rec", "stp-glif-rec": "glif-rec"}
    pairs |= {"stp-celif-ff": "celif-84k", "stp-celif-rec": "celif-rec-158k", "stp-tcn": "tcn"}
    for own, model in pairs.items():
        found = Experiment(PS_MNIST, MODELS[own], 0, "laptop").config["epochs"]
        assert found == Experiment(other, MODELS[model], 0, "laptop").config["epochs"], own


def printed(claim: Claim) -> list[str]:
    """The verdicts on the paper's own numbers."""
    return [
        part.predicate.judge([Estimate(float(cell.published or "nan"), cell.row) for cell in part.cells])[0]
        for part in claim.parts
    ]


@pytest.mark.parametrize("claim", CLAIMS["stp"], ids=lambda claim: claim.id)
def test_the_papers_own_numbers_bear_out_its_claims(claim: Claim) -> None:
    assert set(printed(claim)) == {"holds"}
    assert all(cell.runnable for cell in claim.cells)
    names = [part.name for part in claim.parts]
    assert len(set(names)) == len(names)


def test_what_it_prints_for_cells_of_another_paper_is_what_its_own_table_has() -> None:
    own = [value for value in ALSO_PUBLISHED if value.paper.id == "stp"]
    assert len(own) == 10
    for value in own:
        name = re.split(r"[*( |]", value.row)[0]
        column = "Recurrent" if "Recurrent" in value.row else "Feedforward"
        assert TABLES["stp-1"].cell(name, column).published == value.value


def copy(folder: Path) -> None:
    """Write the paper's folder under another name, "twin", below ``folder``."""
    for path in sorted((ROOT / "bench" / "papers" / "stp").rglob("*")):
        if path.suffix in (".py", ".md"):
            target = folder / "twin" / path.relative_to(ROOT / "bench" / "papers" / "stp")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(re.sub(r"stp(?=[-.\"]| import)", "twin", path.read_text(encoding="utf-8")))


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder under another name in another place of ``bench.papers``."""
    monkeypatch.setattr(papers, "__path__", [*papers.__path__, str(tmp_path)])
    present = set(sys.modules)
    copy(tmp_path)
    yield
    for name in set(sys.modules) - present:
        del sys.modules[name]


@pytest.mark.usefixtures("copied")
def test_the_folder_under_another_name_is_a_paper_of_its_own() -> None:
    found = registry.load()
    assert set(found.papers) == {*registry.PAPERS, "twin"}
    assert {name for name in found.tables if name.startswith("twin")} == {"twin-1", "twin-2"}
    assert set(found.models) - set(registry.MODELS) == {name.replace("stp-", "twin-") for name in OWN}
    assert set(found.tasks) - set(registry.TASKS) == {"twin-ps-mnist"}
    assert [claim.id for claim in found.claims["twin"]] == [c.id.replace("stp-", "twin-") for c in CLAIMS["stp"]]
    assert sum(value.paper.id == "twin" for value in found.also_published) == 10


@pytest.mark.slow
def test_the_folder_outside_the_checkout_is_a_plug_in_with_workers_a_search_and_an_agents_command(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = places / "user"
    copy(user)

    def run(module: str, *arguments: str) -> str:
        command = [sys.executable, "-m", module, *arguments, "--plugin", "twin"]
        done = subprocess.run(command, cwd=user, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    monkeypatch.delenv("BENCH_RESULTS")
    assert "twin-2" in run("bench", "list")
    monkeypatch.setenv("BENCH_DATA", os.environ.get("BENCH_TEST_DATA", ""))
    if missing("sequential-mnist"):
        pytest.skip("BENCH_TEST_DATA names no folder with MNIST: listed, not trained")
    rows = ("--row", "GLIF", "--row", "CE-LIF")
    run("bench", "run", "twin-1", "--column", "Feedforward", *rows, "--budget", "smoke", "--workers", "2")
    lines = store.read(places / "home" / "exploratory")
    assert {(line.model, line.status) for line in lines} == {("twin-glif-ff", "ok"), ("twin-celif-ff", "ok")}
    assert "twin" not in "".join(path.name for path in (ROOT / "results" / "runs").iterdir())
    agent = ("--table=twin-1", "--cell=twin-ps-mnist/twin-glif-ff", "--seed=1", "--budget=smoke")
    assert "ok" in run("sweeps", "wandb", "run", *agent)
    assert "trial 0" in run("sweeps", "search", "twin-ps-mnist", "twin-glif-ff", "--trials", "1", "--budget", "smoke")


GENERATED = ("results/", "sweeps/wandb/")
OF_ITS_OWN = (
    "bench/papers/stp/",
    "tests/bench/papers/test_stp.py",
    "tests/bench/published/stp_",
    "tools/card_trainings.txt",
    "CHANGELOG.md",
)


def test_no_other_file_names_it_but_generated_ones() -> None:
    listed = subprocess.run(["git", "grep", "-lwi", "stp"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode > 1:
        pytest.skip("no git here")
    naming = [path for path in listed.stdout.splitlines() if not path.startswith((*GENERATED, *OF_ITS_OWN))]
    by_hand = readme.PATH.read_text(encoding="utf-8")
    by_hand = by_hand[: by_hand.index(readme.BEGIN)] + by_hand[by_hand.index(readme.END) :]
    assert [path for path in naming if path != "README.md" or re.search(r"\bstp\b", by_hand)] == []
