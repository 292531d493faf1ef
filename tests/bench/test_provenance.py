"""An environment says on which processor and with which libraries a result was made."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import provenance
from bench.spec.experiment import canonical_hash
from tests.conftest import ROOT

OLD = (
    "environment,device,threads,deterministic,python,torch,pytorch-lightning,tonic,numpy,numba,wandb,optuna\n"
    "be1050fd,cpu,1,yes,3.11.7,2.13.0,2.6.6,1.7.0,2.4.6,0.68.1,0.31.0,5.0.0\n"
)
LIBRARIES = {"instructions": "AVX2", "blas": "mkl 2024.2", "onednn": "3.12.0"}


def recorded(places: Path) -> dict[str, dict[str, str]]:
    rows = csv.DictReader((places / "results" / "environments.csv").open(encoding="utf-8"))
    return {row["environment"]: row for row in rows}


def put(places: Path, text: str) -> Path:
    path = places / "results" / "environments.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_two_processors_are_two_environments(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []
    for name in ("AMD EPYC", "Intel Xeon"):
        monkeypatch.setattr(provenance, "processor", lambda name=name: name)
        keys += [provenance.environment("cpu", 1, LIBRARIES)]
    keys += [provenance.environment("cpu", 1, {**LIBRARIES, "instructions": "AVX512"})]
    rows = recorded(places)
    assert len(set(keys)) == len(rows) == 3
    assert [rows[key]["processor"] for key in keys] == ["AMD EPYC", "Intel Xeon", "Intel Xeon"]
    assert (rows[keys[0]]["instructions"], rows[keys[0]]["blas"], rows[keys[0]]["cuda"]) == ("AVX2", "mkl 2024.2", "")
    assert all(canonical_hash(list(row.values())[1:])[:8] == key for key, row in rows.items())


def test_rows_of_the_first_columns_keep_their_hash_and_stay(places: Path) -> None:
    put(places, OLD)
    assert provenance.rows(["be1050fd"])[0][:3] == ["be1050fd", "cpu", "1"]
    new = provenance.environment("cpu", 1, LIBRARIES)
    rows = recorded(places)
    assert set(rows) == {"be1050fd", new}
    assert rows["be1050fd"]["optuna"] == "5.0.0" and rows["be1050fd"]["processor"] == ""
    assert provenance.environment("cpu", 1, LIBRARIES) == new and recorded(places) == rows


def test_a_row_from_an_earlier_version_elsewhere_is_taken_and_one_from_a_newer_refused(places: Path) -> None:
    provenance.add(OLD.splitlines()[1].split(","))
    assert recorded(places)["be1050fd"]["wandb"] == "0.31.0"
    with pytest.raises(BenchError, match="a newer version of the suite made it"):
        provenance.add(["01234567"] * (len(provenance.COLUMNS) + 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OLD.replace("environment,", "environments,", 1), "environments.csv:1: the header"),
        ("", "environments.csv:1: the file is empty"),
        (OLD.replace(",1.7.0", ""), "environments.csv:2: 11 fields where 12 are expected"),
        (OLD + "<<<<<<< HEAD\n", "environments.csv:3: a merge conflict marker"),
        (OLD[:-3], "environments.csv:2: the last line is cut off"),
    ],
)
def test_a_broken_file_is_one_message_and_stays_as_it_is(places: Path, text: str, message: str) -> None:
    path = put(places, text)
    for action in (lambda: provenance.rows(["be1050fd"]), lambda: provenance.environment("cpu", 1)):
        with pytest.raises(BenchError, match="take the file back from git") as error:
            action()
        assert message in str(error.value)
    assert path.read_text() == text


def test_the_committed_environments_are_valid() -> None:
    with (ROOT / "results" / "environments.csv").open(encoding="utf-8") as file:
        keys = [row["environment"] for row in csv.DictReader(file)]
    rows = {row[0]: row for row in provenance.rows(keys)}
    assert len(rows) == len(keys) and all(len(row) == len(provenance.COLUMNS) for row in rows.values())
    for key, row in rows.items():
        first = row[1 : len(provenance.FIRST_COLUMNS)]
        assert key == canonical_hash(row[1:] if any(row[len(provenance.FIRST_COLUMNS) :]) else first)[:8]


def test_the_processor_is_named_and_the_driver_is_read_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo, driver = tmp_path / "cpuinfo", tmp_path / "version"
    cpuinfo.write_text("cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9R14\n\ncpu family\t: 0\n")
    driver.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC 13.3\n")
    files = {"/proc/cpuinfo": cpuinfo, "/proc/driver/nvidia/version": driver}
    monkeypatch.setattr(provenance, "Path", lambda name: files[name])
    assert provenance.processor.__wrapped__() == "AMD EPYC 9R14 (family 25, model 17)"
    assert provenance.cuda_driver.__wrapped__() == "570.86.15"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 2023\n")
    assert provenance.cuda_driver.__wrapped__() == "535.104.05"
    for path in (cpuinfo, driver):
        path.unlink()
    monkeypatch.setattr(provenance.platform, "processor", lambda: "arm")
    assert (provenance.processor.__wrapped__(), provenance.cuda_driver.__wrapped__()) == ("arm", "")


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "NUMBA_CPU_NAME"])
def test_variables_by_which_libraries_choose_their_instructions_are_recorded(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from bench.training import libraries  # loads torch

    monkeypatch.setenv(name, "AVX2")
    assert libraries.libraries.__wrapped__()["instructions"].endswith(f" {name}=AVX2")


def test_variables_that_take_bits_from_products_have_no_effect() -> None:
    code = (
        "import os; os.environ.update(dict.fromkeys(['ONEDNN_DEFAULT_FPMATH_MODE', 'NVIDIA_TF32_OVERRIDE'], 'BF16'));"
        "from bench.training import run; print([n for n in os.environ if 'FPMATH' in n or 'TF32' in n])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_torch_s_own_libraries_are_known_and_provenance_itself_needs_no_torch() -> None:
    import torch

    from bench.training import libraries

    found = libraries.libraries()
    assert set(found) <= set(provenance.LIBRARIES)
    assert found["instructions"] and found["blas"] and found["numpy-blas"]
    assert found["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert libraries.blas("... BLAS_INFO=open, BUILD_TYPE=Release") == "open"
    code = "import sys; from bench.ledger import provenance; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_what_a_run_writes_is_no_change_of_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y", *arguments], cwd=tmp_path, check=True)

    monkeypatch.setattr(provenance.paths, "ROOT", tmp_path)
    files = [tmp_path / name for name in ("README.md", "results/runs.csv", "bench/code.py")]
    git("init", "-q")
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("before")
    git("add", ".")
    git("commit", "-qm", "all")
    for file, dirty in zip(files, (False, False, True), strict=True):
        file.write_text("after")
        assert provenance.git.__wrapped__()[1] is dirty
