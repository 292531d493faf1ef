"""The folder of a paper that breaks a rule is refused with one message, which names the file and the rule."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import papers
from bench.errors import BenchError
from bench.papers import registry
from tests.conftest import ROOT

PAPER = 'from bench.spec.table import Paper\nPAPER = Paper("{}", "Title", "Authors", "Reference", "@misc{{own}}")\n'
TABLE = (
    "from bench.papers.{folder}.paper import PAPER\n"
    "from bench.spec.table import Table\n"
    'TABLE = Table("{id}", PAPER, "Title", ())\n'
)
TASK = 'from bench.spec.task import Task\nXOR = Task("{}", "{}", "delayed-xor", (20, 16, 2))\n'
MODEL = 'from bench.spec.model import Model\nLIF = Model("{}", "{}")\n'
CLAIMS = 'from bench.spec.claim import Claim\nCLAIMS = (Claim("{}", "1", "Sentence", (), "table"),)\n'
COMPLETE = {
    "paper.py": PAPER.format("own"),
    "table_1.py": TABLE.format(folder="own", id="own-1"),
    "figure_2.py": TABLE.format(folder="own", id="own-fig-2"),
    "tasks.py": TASK.format("own-xor", "XOR"),
    "models.py": MODEL.format("own-lif", "LIF"),
    "models_more.py": "from bench.papers.own.models import LIF\n",
    "claims.py": CLAIMS.format("own-best"),
}
Add = Callable[..., None]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Adds a paper's folder, by default "own", with these files to ``bench.papers``."""
    monkeypatch.setattr(papers, "__path__", [*papers.__path__, str(tmp_path)])
    present = set(sys.modules)

    def write(files: dict[str, str], folder: str = "own") -> None:
        (tmp_path / folder).mkdir()
        for name, text in {"__init__.py": "", **files}.items():
            (tmp_path / folder / name).write_text(text)

    yield write
    for name in set(sys.modules) - present:
        del sys.modules[name]


def test_a_paper_in_another_folder_is_found_with_all_it_declares(add: Add) -> None:
    add(COMPLETE)
    found = registry.load()
    assert set(found.papers) == {*registry.PAPERS, "own"}
    assert {name for name in found.tables if name.startswith("own")} == {"own-1", "own-fig-2"}
    assert {"own-xor"} == found.tasks.keys() - registry.TASKS.keys()
    assert {"own-lif"} == found.models.keys() - registry.MODELS.keys()
    assert [claim.id for claim in found.claims["own"]] == ["own-best"]


def test_a_paper_needs_no_claims(add: Add) -> None:
    add({name: text for name, text in COMPLETE.items() if name != "claims.py"})
    assert registry.load().claims["own"] == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paper.py": None}, "bench/papers/own: the folder of a paper must have a file paper.py"),
        (
            {"paper.py": "TITLE = 1\n", "table_1.py": None, "figure_2.py": None},
            "own/paper.py: .* declare PAPER, a Paper",
        ),
        ({"table_1.py": "CELLS = ()\n"}, "own/table_1.py: .* must declare TABLE, a Table"),
        ({"figure_2.py": "TABLE = 2\n"}, "own/figure_2.py: .* must declare TABLE, a Table"),
        ({"claims.py": "ALL = ()\n"}, "own/claims.py: .* must declare CLAIMS, a tuple"),
        (
            {"also_published.py": "VALUES = ()\n"},
            "own/also_published.py: .* must declare ALSO_PUBLISHED, a tuple",
        ),
        ({"claims.py": CLAIMS.format("roles-best")}, "own/claims.py: the id 'roles-best' must start with own-"),
        ({"claims_more.py": CLAIMS.format("own-best")}, "own/claims_more.py: two claims have the id 'own-best'"),
        (
            {"table_1.py": TABLE.format(folder="own", id="roles-1")},
            "own/table_1.py: the id 'roles-1' must be own-NUMBER",
        ),
        (
            {"table_1.py": TABLE.format(folder="own", id="own-one")},
            "own/table_1.py: the id 'own-one' must be own-NUMBER",
        ),
        (
            {"table_2.py": TABLE.format(folder="own", id="own-1")},
            "own/table_2.py: table 'own-1' is also declared in bench/papers/own/table_1.py",
        ),
        (
            {"tasks.py": TASK.format("xor", "another XOR")},
            "task 'xor' is also declared in bench/papers/.*/tasks.py with other content",
        ),
        (
            {"models_more.py": MODEL.format("own-lif", "another LIF")},
            "own/models_more.py: model 'own-lif' is also declared in bench/papers/own/models.py with other content",
        ),
    ],
)
def test_a_broken_rule_is_one_message_with_the_file_and_the_rule(
    add: Add, changes: dict[str, str | None], message: str
) -> None:
    add({name: text for name, text in {**COMPLETE, **changes}.items() if text is not None})
    with pytest.raises(BenchError, match=message):
        registry.load()


def test_two_folders_with_one_paper_are_refused(add: Add) -> None:
    add(COMPLETE)
    add({"paper.py": PAPER.format("own")}, "second")
    with pytest.raises(BenchError, match=r"second/paper.py: paper 'own' is also declared in bench/papers/own/paper.py"):
        registry.load()


def test_the_command_line_shows_a_broken_rule_as_one_message(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "paper.py").write_text("PAPER = None\n")
    code = (
        f"from bench import papers; papers.__path__.append({str(tmp_path)!r})\n"
        "from bench.__main__ import cli; cli(['list'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and "must declare PAPER" in done.stderr and "Traceback" not in done.stderr
