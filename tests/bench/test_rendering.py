"""Rendered tables: LaTeX that compiles, and an index of every paper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.ledger import store
from bench.ledger.index import Index
from bench.papers.registry import PAPERS, TABLES
from bench.report import claims, claims_page, counts
from bench.report.findings import find_results
from bench.report.index import index
from bench.report.latex import latex_text, to_latex
from bench.report.text_table import digits
from bench.spec.table import Cell, Paper, Table


def table_of_text(*rows: tuple[str, str]) -> Table:
    """A table of (row, column) cells in which nothing can be measured."""
    cells = tuple(Cell(row, column, absent="not applicable", note="a test") for row, column in rows)
    return replace(TABLES["roles-6"], cells=cells)


def latex(table: Table) -> list[str]:
    return to_latex(table, find_results(table, [])).splitlines()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("94.00 ± 0.47†  (–)", r"94.00 $\pm$ 0.47$\dagger$  (--)"),
        (r"a\b", r"a\textbackslash{}b"),
        (r"\{", r"\textbackslash{}\{"),
        ("5 % & $1 #2 {x} ~y x^2", r"5 \% \& \$1 \#2 \{x\} \textasciitilde{}y x\textasciicircum{}2"),
        ("SNN | <10", r"SNN \textbar{} \textless{}10"),
        ("4nE_MAC + mnFr_in E_AC", r"4n$E_\mathrm{MAC}$ + mn$Fr_\mathrm{in}$ $E_\mathrm{AC}$"),
        ("k_tau = 0.3, FC_LIF", r"$k_\tau$ = 0.3, FC\_LIF"),
        ("[64, 88]", "{}[64, 88]"),
        ("* chosen", "{}* chosen"),
    ],
)
def test_special_characters_are_escaped_once_and_the_papers_symbols_are_in_math_mode(text: str, escaped: str) -> None:
    assert latex_text(text) == escaped


def test_latex_has_rules_and_a_line_for_each_row() -> None:
    lines = latex(table_of_text(("Baseline", "MNIST"), ("{x}", "MNIST"), ("Baseline", "5 %"), ("{x}", "5 %")))
    assert lines[lines.index(r"\begin{tabular}{lrr}") : lines.index(r"\end{tabular}")] == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r" & MNIST & 5 \% \\",
        r"\midrule",
        r"Baseline & n/a & n/a \\",
        r"\{x\} & n/a & n/a \\",
        r"\bottomrule",
    ]


def test_latex_has_caption_label_note_and_the_published_values_beside_the_measured_ones() -> None:
    lines = to_latex(TABLES["roles-6"], find_results(TABLES["roles-6"], store.read())).splitlines()
    assert r"\label{tab:roles-6}" in lines
    assert any(line.startswith(r"\caption{Accuracy of LIF variants") for line in lines)
    assert any(r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}" in line for line in lines)
    assert r" & measured & published" * 7 + r" \\" in lines
    assert any(line.startswith(r"\parbox") and r"$\blacktriangle$ above: " in line for line in lines)


def test_every_number_of_the_papers_own_cells_is_in_its_latex() -> None:
    lines = Index(store.read())
    for table in TABLES.values():
        findings = find_results(table, lines)
        text = to_latex(table, findings).replace(",", "")
        for f in findings:
            numbers = [] if f.cell.extra else [f.cell.published or "", f.text and f.text.split("(")[0]]
            if f.value is not None and not f.cell.extra:
                numbers.append(f"{f.value:.{digits(f.cell)}f}")
            missing = [n for n in numbers if latex_text(n.replace(",", "")) not in text]
            assert [n for n in missing if n.replace(" ", "") not in f.text.replace(" ", "")] == [], (table.id, f.cell)


def test_the_index_lists_every_paper_and_all_of_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    third = Paper("third", "A third paper", "Somebody", "2027", "@misc{third}")
    cells = table_of_text(("Baseline", "MNIST")).cells
    for number in (1, 2):
        table = Table(f"third-{number}", third, f"Its table {number}", cells)
        monkeypatch.setitem(TABLES, table.id, table)
    monkeypatch.setitem(PAPERS, "third", third)
    lines = index([]).splitlines()
    headings = [line.split()[1] for line in lines if line.startswith("## ") and ": " in line]
    assert headings == [f"{paper}:" for paper in PAPERS]
    listed = [line.split("]")[0].removeprefix("| [") for line in lines if line.startswith("| [")]
    assert sorted(listed) == sorted(TABLES)
    assert f"| [third-2](tables/third-2.md) | Its table 2 {'|  ' * len(counts.NAMES)}|" in lines


def test_a_paper_without_claims_has_an_empty_list_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    third = Paper("third", "A third paper", "Somebody", "2027", "@misc{third}")
    monkeypatch.setitem(PAPERS, "third", third)
    judgements = claims.judgements([], ["third"])
    assert judgements == {"third": []}
    assert "## third: A third paper" in claims_page.markdown(judgements)
