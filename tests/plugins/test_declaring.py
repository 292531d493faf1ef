"""What a plug-in declares is there like what the suite declares; what is wrong with one is a message with file and
line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import datamodules
from bench import plan
from bench.errors import BenchError
from bench.measures import MEASURES
from bench.papers import registry
from bench.spec import own
from bench.spec.experiment import Experiment
from datamodules.sources import SOURCES
from tests.conftest import ROOT
from tests.following_docs import DOCS, blocks
from tests.plugins.conftest import EXAMPLE, MODEL, ROW, Load

PAPER = 'from bench.spec.table import Paper\nPAPER = Paper("{}", "Title", "Authors", "Reference", "@misc{{own}}")\n'
TABLE = (
    "from .paper import PAPER\nfrom bench.spec.table import Table\n"
    'TABLE = Table("second-1", PAPER, "Title", (), notes=("about",))\n'
)


def test_an_own_row_has_every_column_in_which_models_are_trained_and_nothing_published(load: Load) -> None:
    before = registry.TABLES["roles-6"].columns
    load(ROW)
    table = registry.TABLES["roles-6"]
    cells = [cell for cell in table.cells if cell.row == "Mine (own)"]
    assert [cell.column for cell in cells] == before == table.columns
    assert all(cell.own and cell.extra and cell.published is None and cell.runnable for cell in cells)
    assert {cell.model.name for cell in cells if cell.model} == {"mine"}
    assert "mine.py" in cells[0].note


def test_an_own_row_has_the_facts_that_describe_its_model(load: Load) -> None:
    load(EXAMPLE)
    table = registry.TABLES["celif-1"]
    facts = {cell.column: cell.fact.name for cell in table.cells if cell.own and cell.fact}
    assert facts == {"SNN": "snn", "Architecture": "architecture", "Parameters": "parameters"}


def test_an_own_row_is_named_with_or_without_its_mark(load: Load) -> None:
    load(ROW)
    table = registry.TABLES["roles-6"]
    assert plan.select(table, ["mine"], ["XOR"]) == plan.select(table, ["Mine (own)"], ["XOR"]) != []


def test_a_row_takes_the_columns_that_it_names(load: Load) -> None:
    load(ROW.replace("MINE)", 'MINE, "Title", ("XOR",))'))
    assert [(c.row, c.column) for c in registry.TABLES["roles-6"].cells if c.own] == [("Title (own)", "XOR")]


def test_a_folder_declares_a_data_set_of_arrays_with_its_task_and_table(load: Load) -> None:
    folder = load(
        "from bench.spec.own import DataSet\nfrom bench.spec.task import Task\nfrom datamodules.sources import Source\n"
        "import numpy as np\n"
        "def made(steps):\n    x = np.arange(6.0)[:, None, None] * np.ones((6, steps, 2))\n"
        "    return {'train': (x, np.arange(6)), 'test': (x, np.arange(6))}\n"
        'DATA = DataSet(Source("sixes", "Sixes"), made)\n'
        'TASK = Task("sixes", "Sixes", "sixes", (2, 6), {"steps": 3})\n',
        "own_task/__init__.py",
    )
    assert folder.is_dir() and registry.TASKS["sixes"].data == "sixes"
    data = datamodules.build("sixes", {"steps": 3, "validation": 0.34}, 4, seed=0)
    data.setup("fit")
    x, target = next(iter(data.test_batches()))
    assert list(x.shape) == [3, 4, 2] and x[0, :, 0].tolist() == target.tolist() == [0, 1, 2, 3]
    shown = [value for batch in data.train_batches(lambda: 0) for value in batch[1].tolist()]
    kept = [value for batch in data.validation_batches() for value in batch[1].tolist()]
    assert len(kept) == 2 and sorted(shown + kept) == [0, 1, 2, 3, 4, 5]


def test_a_class_of_batches_in_a_file_of_the_folder_is_imported_when_it_is_needed(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "user" / "own_task"
    folder.mkdir()
    (folder / "data.py").write_text(
        "import torch\nfrom datamodules.base import Generated\nclass Ones(Generated):\n"
        "    def __init__(self, batch_size, seed, steps=3):\n        super().__init__(batch_size, seed, 2, 4)\n"
        "        self.steps = steps\n"
        "    def generate(self, count, rng):\n"
        "        return torch.ones(self.steps, count, 1), torch.zeros(count, dtype=torch.long)\n"
    )
    load(
        "from bench.spec.own import DataSet\nfrom datamodules.sources import Source\n"
        'DATA = DataSet(Source("ones", "Ones"), module="data:Ones")\n',
        "own_task/__init__.py",
    )
    assert "bench_plugins.own_task.data" not in sys.modules
    data = datamodules.build("ones", {"steps": 7}, 2, seed=0)
    assert list(next(iter(data.test_batches()))[0].shape) == [7, 2, 1]


def test_arrays_of_another_form_are_refused_with_what_they_must_be(load: Load) -> None:
    load(
        "from bench.spec.own import DataSet\nfrom datamodules.sources import Source\nimport numpy as np\n"
        "def made():\n    return {'train': (np.ones((6, 3)), np.ones(6)), 'test': (np.ones((6, 3)), np.ones(6))}\n"
        'DATA = DataSet(Source("flat", "Flat"), made)\n'
    )
    with pytest.raises(ValueError, match=r"data set flat, train: inputs are .* got float64 \[6, 3\]"):
        datamodules.build("flat", {}, 4, seed=0).setup("fit")


def test_a_measure_of_a_plug_in_is_read_by_its_own_function(load: Load) -> None:
    load(
        "from bench.spec.measure import Measure\ndef half(trained, protocol):\n    return 0.5\n"
        'HALF = Measure("half", "%", "half of it", reader=f"{__name__}:half")\n'
    )
    assert MEASURES["half"].reader == "bench_plugins.mine:half"


def test_the_folder_of_a_paper_outside_the_checkout_is_a_paper(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "user" / "second"
    (folder / "notes").mkdir(parents=True)
    (folder / "paper.py").write_text(PAPER.format("second"))
    (folder / "notes" / "about.md").write_text("A note.\n")
    load(TABLE, "second/table_1.py")
    assert registry.PAPERS["second"].title == "Title" and registry.CLAIMS["second"] == ()
    from bench.ledger.index import Index
    from bench.report import notes

    assert notes.markdown(registry.TABLES["second-1"], Index([])) == "A note."


BROKEN = {
    "syntax": ("a = 1\nb = (\n", r"mine.py:2: SyntaxError: '\(' was never closed"),
    "exception": ("def f():\n    return 1 / 0\nf()\n", "mine.py:2: ZeroDivisionError: division by zero"),
    "exit": ("raise SystemExit(3)\n", "mine.py:1: SystemExit: 3"),
    "package": ("\nimport nopackage.x\n", "mine.py:2: No module named 'nopackage'; .*pip install nopackage"),
    "table": (ROW.replace("roles-6", "roles-66"), r"mine.py:4: unknown table 'roles-66'; did you mean"),
    "rows": (ROW.replace("roles-6", "roles-1"), "mine.py:4: roles-1 has no rows of models"),
    "column": (ROW.replace("MINE)", 'MINE, "", ("XO",))'), "mine.py:4: unknown column of roles-6 'XO'"),
    "model": (
        MODEL.replace('"mine"', '"lif"'),
        "mine.py:2: model 'lif' is also declared in bench/papers/.* with other",
    ),
    "task": (
        'from bench.spec.task import Task\nT = Task("xor", "XOR", "delayed-xor", (20, 2))\n',
        "mine.py:2: task 'xor' is also declared in bench/papers/roles/tasks.*.py",
    ),
    "measure": (
        'from bench.spec.measure import Measure\nM = Measure("accuracy", "%", "mine")\n',
        "mine.py:2: measure 'accuracy' is also declared in bench/measures",
    ),
    "neuron": (
        EXAMPLE.replace('name="resonate-and-fire"', 'name="lif"'),
        r"mine.py:1\d: ValueError: neuron name 'lif'",
    ),
    "a class called LIF": (
        'from lightning_modules.neurons import Neuron\nclass LIF(Neuron, name="lif"):\n    pass\n',
        "mine.py:2: ValueError: neuron name 'lif' is taken by lightning_modules.neurons.lif.LIF",
    ),
    "data": (
        "from bench.spec.own import DataSet\nfrom datamodules.sources import Source\n"
        'D = DataSet(Source("mnist", "M"), print)\n',
        "mine.py:3: data set 'mnist' is there already",
    ),
    "function": (
        "from bench.spec.own import DataSet\nfrom datamodules.sources import Source\n"
        'D = DataSet(Source("ones", "O"), lambda: {})\n',
        "mine.py:3: data set 'ones' needs arrays=FUNCTION, a function that the plug-in defines",
    ),
    "class": (
        "from bench.spec.own import DataSet\nfrom datamodules.sources import Source\n"
        'D = DataSet(Source("ones", "O"), module="data:Ones")\n',
        "mine.py:3: data set 'ones' needs .*module='FILE:CLASS' with a file of its folder",
    ),
    "grid": (
        'from bench.spec.grid import grid\nC = grid("x | a | b\\nrow | 1\\n")\n',
        "mine.py:2: row 'row' has 1 cells under 2 columns",
    ),
    "paper": (PAPER.format("roles"), "mine.py:2: paper 'roles' is also declared in bench/papers/roles/paper.py"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_plug_in_is_one_message_with_file_and_line(load: Load, broken: str) -> None:
    text, message = BROKEN[broken]
    with pytest.raises(BenchError, match=message):
        load(text)


def test_paths_that_are_no_plug_in_are_refused(tmp_path: Path, load: Load) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").touch()
    for name, reason in {
        "nothing.py": "does not exist",
        "empty": "neither __init__.py",
        "text.txt": "no Python",
    }.items():
        with pytest.raises(BenchError, match=reason):
            registry.plug_in((str(tmp_path / name),))


def test_two_plug_ins_of_one_name_are_refused(tmp_path: Path, load: Load) -> None:
    load(MODEL)
    (tmp_path / "mine.py").write_text(MODEL)
    with pytest.raises(BenchError, match="two plug-ins have one name"):
        registry.plug_in((str(tmp_path / "mine.py"),))


def test_settings_that_a_neuron_does_not_take_are_one_message(load: Load) -> None:
    load(EXAMPLE.replace('neuron="resonate-and-fire")', 'neuron="resonate-and-fire", settings={"leak": 1.0})'))
    experiment = Experiment(registry.TASKS["xor"], registry.MODELS["resonate-and-fire"], 0, "smoke")
    with pytest.raises(
        BenchError, match=r"mine.py:\d+: neuron resonate-and-fire: .* has no setting leak; it has: damp"
    ):
        _ = experiment.id


def test_the_option_and_the_variable_show_a_broken_plug_in_as_one_message(places: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1 +\n")
    for command, variable in (
        (["bench", "list", "--plugin", "broken.py"], ""),
        (["bench", "--plugin", "broken.py", "list"], ""),
        (["sweeps", "worker"], "broken.py"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_PLUGINS": variable},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.strip() == f"Error: {tmp_path.resolve()}/broken.py:1: SyntaxError: invalid syntax"


def test_a_plug_in_without_a_neuron_loads_no_torch(places: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ROW)
    code = (
        "import sys; from bench.__main__ import cli\n"
        "cli(['list', '--plugin', 'mine.py', 'models'], standalone_mode=False); assert 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\nmine " in done.stdout


def test_an_installed_package_is_loaded_through_its_entry_point(places: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    info = site / "mypackage-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[bench.plugins]\nmine = mypackage\n")
    (site / "mypackage").mkdir()
    (site / "mypackage" / "__init__.py").write_text("from mypackage.inner import MINE\n")
    (site / "mypackage" / "inner.py").write_text(MODEL)
    environment = {**os.environ, "PYTHONPATH": f"{site}:{ROOT}"}
    command = [sys.executable, "-m", "bench", "list", "models"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "\nmine " in done.stdout, done.stderr


def test_the_code_in_the_page_about_plug_ins_declares_what_it_says(load: Load) -> None:
    quiet, pulses = (block for block in blocks(DOCS / "plugins.md") if block.path)
    load(quiet.code, quiet.path)
    (cell,) = plan.select(registry.TABLES["roles-6"], ["Quiet"], ["XOR"])
    assert cell.task is not None and cell.model is not None
    assert " quiet=" in Experiment(cell.task, cell.model, 0, "laptop").versions
    assert (own.neuron("quiet", {})["acs"], own.neuron("quiet", {})["macs"]) == (1, 1)
    load(pulses.code, pulses.path)
    assert registry.TABLES["pulses-1"].rows == ["LIF"]
    made = datamodules.MODULES["pulses"]
    assert not isinstance(made, str) and made(30)["train"][0].shape == (500, 30, 4)


def test_the_suites_own_data_sets_have_no_code_in_their_identity() -> None:
    assert not any(source.code for source in SOURCES.values())
