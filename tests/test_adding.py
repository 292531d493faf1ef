"""The lists of docs/adding.md work: their code is taken from the page, added to a copy of the suite, and run."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.following_docs import ADDING, apply, blocks, copy

PLANNING = """
import contextlib, io, json, sys
from bench.__main__ import cli

def printed(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        cli(list(arguments), prog_name="bench", standalone_mode=False)
    return out.getvalue()

results = {
    "list": json.loads(printed("list", "--json")),
    "plan": json.loads(printed("plan", "mine", "--json")),
    "row": json.loads(printed("plan", "roles-6", "--row", "Learned threshold", "--column", "XOR", "--json")),
    "show": json.loads(printed("show", "mine-1", "Recurrent", "Pulses", "--json")),
    "claims": json.loads(printed("claims", "mine", "--json")),
    "cite": printed("cite", "mine"),
    "data": json.loads(printed("data", "status", "--json")),
}
printed("render", "mine-1")
from bench.measures import MEASURES
from bench.papers.registry import TABLES
results["measures"] = list(MEASURES)
results["cells"] = [[c.row, c.column, c.published, c.unit] for c in TABLES["mine-1"].cells]
results["torch"] = "torch" in sys.modules
print(json.dumps(results))
"""

TRAINING = """
import json, sys, types
import torch

# stands in for pytorch_lightning, which takes seconds to import and trains nothing here
lightning = types.ModuleType("pytorch_lightning")
lightning.LightningModule, lightning.LightningDataModule = torch.nn.Module, object
sys.modules["pytorch_lightning"] = lightning

import datamodules
from bench.measures import MEASURES
from bench.measures.best_epoch import best_epoch
from bench.papers.registry import MODELS, TASKS
from bench.spec.experiment import Experiment
from lightning_modules import networks
from lightning_modules.neurons import NEURONS
from lightning_modules.scan import scan

torch.manual_seed(0)
neuron = NEURONS["learned-threshold"](3)
current = torch.rand(1, 4, 3, requires_grad=True)
steps = {}
for backend in ("loop", "cpu"):
    output = scan(neuron, current, backend=backend).output
    gradients = torch.autograd.grad((output * torch.arange(12.0).reshape(1, 4, 3)).sum(), [current, neuron.theta])
    steps[backend] = [output.tolist(), *(gradient.tolist() for gradient in gradients)]

recipe = Experiment(TASKS["pulses"], MODELS["mine-recurrent"], 0, "smoke").config
data = datamodules.build(recipe["data"], recipe["data_settings"], recipe["batch_size"], seed=0)
x, target = next(iter(data.train_batches(lambda: 0)))
history = [{"epoch": epoch, "test/accuracy": value} for epoch, value in ((1, 50.0), (2, 70.0), (3, 60.0))]
print(json.dumps({
    "steps": steps,
    "batch": [list(x.shape), list(target.shape)],
    "output": list(networks.build(recipe)(x).shape),
    "best_epoch": best_epoch(types.SimpleNamespace(history=history), "last").value,
    "digits": MEASURES["best-epoch"].digits,
}))
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the suite with everything that docs/adding.md adds."""
    suite = tmp_path_factory.mktemp("extended")
    copy(suite)
    for block in blocks(ADDING):
        if block.path:
            apply(block, suite)
    return suite


def run(suite: Path, script: str) -> dict:
    """What ``script`` prints as JSON, run in the copy with folders of its own."""
    folders = {f"BENCH_{name.upper()}": str(suite / name) for name in ("home", "results", "data")}
    environment = {**os.environ, **folders, "PYTHONPATH": str(suite)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def planned(extended: Path) -> dict:
    return run(extended, PLANNING)


@pytest.fixture(scope="module")
def computed(extended: Path) -> dict:
    return run(extended, TRAINING)


def test_every_block_of_code_says_where_it_goes() -> None:
    lost = [block.code for block in blocks(ADDING) if not block.path and block.language != "sh"]
    assert lost == []


def test_a_paper_added_as_the_page_says_is_listed_planned_and_shown(planned: dict) -> None:
    row = next(row for row in planned["list"] if row["table"] == "mine-1")
    assert (row["cells"], row["runnable"]) == (2, 2)
    assert [job["name"] for job in planned["plan"]["jobs"]] == [
        "pulses / mine-feedforward / seed 0 / laptop",
        "pulses / mine-recurrent / seed 0 / laptop",
    ]
    assert planned["show"]["config"]["recurrent"] is True
    assert planned["show"]["sources"]["lr"] == "paper, Table 3"
    assert not planned["torch"]


def test_a_paper_added_as_the_page_says_is_rendered_cited_and_its_claims_are_judged(
    planned: dict, extended: Path
) -> None:
    rendered = (extended / "results" / "tables" / "mine-1.md").read_text(encoding="utf-8")
    assert "95.10" in rendered
    assert "the accuracy with recurrence is not measured" in rendered
    assert "mine-1" in (extended / "results" / "README.md").read_text(encoding="utf-8")
    assert planned["cite"].startswith("@article{doe2026mine,")
    verdicts = {claim["data"]: claim["verdict"] for claim in planned["claims"] if claim["id"] == "mine-recurrence"}
    assert verdicts["published"] == "holds"


def test_the_published_numbers_typed_as_the_page_says_are_the_tables_cells(planned: dict, extended: Path) -> None:
    with open(extended / "tests" / "bench" / "published" / "mine_table1.csv", encoding="utf-8", newline="") as file:
        lines = [[r["row"], r["column"], r["value"], r["unit"]] for r in csv.DictReader(file)]
    assert planned["cells"] == lines


def test_a_row_added_as_the_page_says_can_be_trained(planned: dict) -> None:
    assert [job["name"] for job in planned["row"]["jobs"]] == ["xor / learned-threshold / seed 0 / laptop"]


def test_a_neuron_written_as_the_page_says_computes_the_same_fused_and_in_the_loop(computed: dict) -> None:
    spikes, *gradients = computed["steps"]["loop"]
    fused_spikes, *fused_gradients = computed["steps"]["cpu"]
    assert fused_spikes == spikes
    assert 0 < sum(sum(row) for row in spikes[0]) < 12
    assert sum(abs(value) for value in gradients[1]) > 0
    for fused, loop in zip(fused_gradients, gradients, strict=True):
        assert str(fused) == str(loop) or fused == pytest.approx(loop, rel=1e-5)


def test_a_data_set_and_a_task_added_as_the_page_says_make_batches_that_the_network_takes(
    computed: dict, planned: dict
) -> None:
    assert computed["batch"] == [[50, 50, 4], [50]]
    assert computed["output"] == [1, 50, 2]
    assert next(row["state"] for row in planned["data"] if row["name"] == "pulses") == "generated"


def test_a_measure_added_as_the_page_says_reads_its_value(computed: dict, planned: dict) -> None:
    assert computed["best_epoch"] == 2.0
    assert computed["digits"] == 0
    assert "best-epoch" in planned["measures"]
