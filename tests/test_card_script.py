"""tools/on_a_card.sh packs what a bare machine lacks, runs every step there, and brings the results back."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bench.ledger import provenance
from tests.conftest import ROOT

SCRIPT = ROOT / "tools" / "on_a_card.sh"


def script(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
    environment = {**os.environ, "PATH": path, "PYTHON": sys.executable, **variables}
    return subprocess.run([str(SCRIPT), *arguments], capture_output=True, text=True, env=environment, timeout=900)


def test_the_script_is_whole_and_says_what_it_takes() -> None:
    assert subprocess.run(["bash", "-n", SCRIPT]).returncode == 0
    assert "pack | run | take" in script().stderr
    assert "SECONDS must be a number of at least 60" in script("run", "soon", ".", "out").stderr


def test_the_lines_of_the_trainings_name_cells_that_exist() -> None:
    import shlex

    from bench import plan as planning

    lines = (ROOT / "tools" / "card_trainings.txt").read_text().splitlines()
    for line in [line for line in lines if line and not line.startswith("#")]:
        table, *options = shlex.split(line)
        named = list(zip(options[::2], options[1::2], strict=True))
        rows = [value for name, value in named if name == "--row"]
        columns = [value for name, value in named if name == "--column"]
        found = planning.select(planning.find_table(table), rows, columns)
        assert {cell.row for cell in found} == set(rows)
        assert all(cell.runnable for cell in found)


def test_only_wheels_are_packed_and_too_much_is_refused(tmp_path: Path) -> None:
    """A python that notes what it is asked for, and downloads one large wheel."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\necho "$@" > "$0.asked"\nwhile [ "$1" != -d ]; do shift; done\n'
        'head -c 60000000 /dev/zero > "$2/large-1-py3-none-any.whl"\n'
    )
    python.chmod(0o755)
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    done = script("pack", str(tmp_path / "pack"), "mnist", PYTHON=str(python), BENCH_DATA=str(tmp_path / "data"))
    assert done.returncode == 1 and "more than 55 MB" in done.stderr
    asked = (tmp_path / "python.asked").read_text()
    assert "--python-version 3.12 " in asked and "--only-binary=:all:" in asked
    names = {word.split("==")[0].lower() for word in asked.split() if "==" in word}
    assert {"tonic", "wandb", "optuna", "sqlalchemy", "pytorch-lightning", "spikingjelly", "snntorch"} <= names
    assert not names & {"torch", "triton", "numpy", "llvmlite", "pytest", "ruff"}
    missing = script("pack", str(tmp_path / "pack"), "nmnist", PYTHON=str(python), BENCH_DATA=str(tmp_path / "data"))
    assert "no data set nmnist" in missing.stderr


def test_a_copy_without_git_has_the_commit_that_it_was_packed_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(provenance.paths, "ROOT", tmp_path)
    for text, expected in (("abc123def456", ("abc123def456", False)), ("abc123+changes", ("abc123", True))):
        monkeypatch.setenv("BENCH_COMMIT", text)
        assert provenance.git.__wrapped__() == expected
    monkeypatch.delenv("BENCH_COMMIT")
    assert provenance.git.__wrapped__() == ("", None)


@pytest.mark.slow
def test_every_step_runs_at_tiny_sizes_and_its_results_come_back(places: Path, tmp_path: Path) -> None:
    pytest.importorskip("triton")
    folder = tmp_path / "pack"
    folder.mkdir()
    trainings = tmp_path / "trainings.txt"
    trainings.write_text("# one\nroles-6 --column XOR --row 'Baseline' --budget smoke\n")
    out = tmp_path / "out"
    variables = {
        "TINY": "1",
        "CHECK": "--case lif",
        "SPEED": "xor",
        "REPEAT": "1",
        "TRAININGS": str(trainings),
        "WORK": str(tmp_path / "work"),
    }
    done = script("run", "700", str(folder), str(out), **variables)
    log = (out / "log.txt").read_text()
    assert done.returncode == 0, log
    for step in ("versions", "check", "speed", "training"):
        assert f"== {step}, " in log
    assert " ended with " not in log and "cases passed" in log
    with tarfile.open(out / "results.tar.gz.aa") as archive:
        names = archive.getnames()
    assert any(name.endswith("weights.pt") for name in names)
    lines = list(csv.DictReader((tmp_path / "work/home/exploratory/runs/xor.csv").open()))
    assert {line["status"] for line in lines} == {"ok"}
    (folder / "earlier.tar.gz").write_bytes((out / "results.tar.gz.aa").read_bytes())
    again = variables | {"STEPS": "train", "WORK": str(tmp_path / "work again")}
    assert script("run", "100", str(folder), str(tmp_path / "out again"), **again).returncode == 0
    log = (tmp_path / "out again" / "log.txt").read_text()
    assert "1 of 1 cells that can run are done" in log and "== check" not in log
    taken = script("take", str(out))
    assert taken.returncode == 0, taken.stderr
    assert list((places / "home" / "experiments").glob("*/weights.pt"))
