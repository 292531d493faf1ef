"""``bench export``: chosen cells as LaTeX, CSV or Markdown; all tables compile without an overfull box."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import cli
from bench.ledger import store
from bench.ledger.index import Index
from bench.papers.registry import TABLES
from bench.report.export import FORMATS, chosen, export, separated
from bench.report.findings import find_results
from bench.report.groups import groups
from bench.report.latex import PACKAGES, latex_group, to_latex


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["export", *arguments])
    return done.exit_code, done.output


def test_the_papers_own_cells_are_exported_where_none_is_named() -> None:
    table = TABLES["celif-1"]
    assert chosen(table, "", "") == [cell for cell in table.cells if not cell.extra]
    assert {cell.row for cell in chosen(table, "", "Seq-MNIST")} == {c.row for c in table.cells if not c.extra}


def test_named_rows_and_columns_are_exported_whether_the_paper_has_them_or_not() -> None:
    cells = chosen(TABLES["roles-6"], "baseline,With recurrence", "MNIST,XOR, input whole,nmnist-standin")
    assert {cell.row for cell in cells} == {"Baseline", "With recurrence"}
    assert {cell.column for cell in cells} == {"MNIST", "XOR, input whole", "N-MNIST (simulated)"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("A,B", ["A", "B"]),
        ("A, with b,B", ["A, with b", "B"]),
        ("B,a, With B", ["B", "a, With B"]),
        ("A, with c", ["A", "with c"]),
    ],
)
def test_names_are_separated_by_commas_and_may_have_commas(text: str, names: list[str]) -> None:
    assert separated(text, ["A", "B", "A, with b"]) == names


def test_a_row_may_be_named_by_its_first_part_where_one_row_begins_so() -> None:
    (cell,) = chosen(TABLES["celif-2"], "6", "Seq-MNIST")
    assert cell.row == "6 | V[t-1] ⊙ TE[t]"
    code, output = run("celif-1", "--rows", "LIF*")  # two rows begin so
    assert code == 1
    assert "unknown row of celif-1 'LIF*'" in output


def test_each_format_has_the_value_and_what_is_published() -> None:
    table = TABLES["roles-6"]
    cells = chosen(table, "Baseline", "MNIST")
    index = Index(store.read())
    (f,) = [f for f in find_results(table, index) if f.cell in cells]
    for ending in FORMATS:
        text = export(table, cells, ending, index)
        assert f"{f.value:.2f}" in text
        assert "94.85" in text
    assert len(list(csv.DictReader(io.StringIO(export(table, cells, "csv", index))))) == 1


def test_an_export_goes_to_standard_output_or_into_a_file(tmp_path: Path) -> None:
    code, output = run("roles-6", "--columns", "MNIST")
    file = tmp_path / "table.tex"
    assert (code, run("roles-6", "--columns", "MNIST", "--out", str(file))) == (0, (0, ""))
    assert file.read_text(encoding="utf-8") == output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("roles-66",), "did you mean roles-6"),
        (("roles-6", "--columns", "MNST"), "did you mean MNIST"),
        (("roles-6", "--format", "pdf"), "'pdf' is not one of 'latex', 'csv', 'markdown'"),
        (("roles-6", "--out", "/dev/null/table.tex"), "cannot write"),
        (("celif-4", "--rows", "LSTM of 66.5k", "--columns", "lif"), "unknown column"),
    ],
)
def test_a_wrong_export_says_what_is_wrong(arguments: tuple[str, ...], message: str) -> None:
    code, output = run(*arguments)
    assert code != 0
    assert message in output


@pytest.mark.slow
def test_all_tables_compile_without_an_overfull_box(tmp_path: Path) -> None:
    pdflatex = shutil.which("pdflatex")
    files = [f"{name}.sty" for name in PACKAGES]
    if pdflatex is None or subprocess.run(["kpsewhich", *files], capture_output=True).returncode != 0:
        pytest.skip("no pdflatex, or packages are missing (apt-get install texlive-latex-extra texlive-science)")
    index = Index(store.read())
    texts = []
    for table in TABLES.values():
        findings = find_results(table, index)
        texts += [to_latex(table, findings), *(latex_group(table, g) for g in groups(table, findings) if g.heading)]
    packages = "".join(f"\\usepackage{{{name}}}\n" for name in PACKAGES)
    body = "\\clearpage\n".join(texts)
    document = f"\\documentclass[a4paper]{{article}}\n{packages}\\begin{{document}}\n{body}\\end{{document}}\n"
    (tmp_path / "tables.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
        cwd=tmp_path,
        env=os.environ | {"max_print_line": "1000"},
        capture_output=True,
        timeout=300,
    )
    log = (tmp_path / "tables.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-2000:]
    assert re.findall(r"^(?:Overfull \\[hv]box|LaTeX Warning: Float too large).*", log, re.MULTILINE) == []
