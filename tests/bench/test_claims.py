"""Claims: each but one is borne out by the paper's own numbers, and judged by intervals on what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.ledger import series
from bench.ledger.store import Line
from bench.measures import MEASURES
from bench.papers.registry import CLAIMS, MODELS, PAPERS, TABLES, TASKS, substitutes
from bench.report import claims, claims_page
from bench.report.claims import judge
from bench.spec import predicates as p
from bench.spec.claim import Claim, Condition, value
from bench.spec.experiment import Experiment
from bench.spec.table import Cell
from tests.bench.test_plan import finished
from tests.conftest import bench

ALL = [claim for paper in PAPERS for claim in CLAIMS[paper]]


def named(task: str, model: str, measure: str) -> Cell:
    return value(TASKS[task], MODELS[model], MEASURES[measure])


def e(value: float, half: float = 0.0) -> p.Estimate:
    return p.Estimate(value, half, str(value))


@pytest.mark.parametrize(
    ("predicate", "values", "verdict"),
    [
        (p.Highest(), [e(3), e(2), e(1)], "holds"),
        (p.Highest(), [e(2), e(3), e(1)], "fails"),
        (p.Highest(), [e(3, 1), e(2, 1)], "undecided"),
        (p.Highest(), [e(3, 0.5), e(2, 0.5)], "holds"),
        (p.Highest(), [e(3), e(3)], "fails"),  # 1 > sqrt(.5)
        (p.Highest(), [e(3, 1), e(2.9, 1), e(9)], "fails"),
        (p.Descending(), [e(3), e(2), e(1)], "holds"),
        (p.Descending(), [e(3), e(1), e(2)], "fails"),
        (p.Descending(), [e(3), e(2, 2)], "undecided"),
        (p.NotBelow(1), [e(9), e(9.5)], "holds"),
        (p.NotBelow(1), [e(9), e(10)], "holds"),
        (p.NotBelow(1), [e(9), e(10.5)], "fails"),
        (p.NotBelow(1), [e(9, 1), e(9.5, 1)], "undecided"),
        (p.NotAbove(), [e(9), e(9)], "holds"),
        (p.NotAbove(0.1), [e(9.2), e(9)], "fails"),
        (p.NotAbove(0.1), [e(9.05), e(9)], "holds"),
        (p.Near(50, 5), [e(52, 1), e(48, 1)], "holds"),
        (p.Near(50, 5), [e(60, 1)], "fails"),
        (p.Near(50, 5), [e(54.5, 1)], "undecided"),
        (p.AtLeast(97), [e(97)], "holds"),
        (p.AtLeast(97), [e(96.9)], "fails"),
        (p.AtLeast(97), [e(97.1, 0.5)], "undecided"),
        (p.AtMost(1), [e(1)], "holds"),
        (p.AtMost(1), [e(2)], "fails"),
        (p.LosesLess(), [e(90), e(88), e(95), e(80)], "holds"),
        (p.LosesLess(), [e(95), e(80), e(90), e(88)], "fails"),
        (p.LosesLess(), [e(90, 5), e(88, 5), e(95, 5), e(90, 5)], "undecided"),
        (p.Alike(0.1), [e(1.05), e(1.0)], "holds"),
        (p.Alike(0.1), [e(1.5), e(1.0)], "fails"),
        (p.Ratio(50), [e(100), e(1)], "holds"),
        (p.Ratio(50), [e(40), e(1)], "fails"),
        (p.RatioNear(1.18, 0.005), [e(181_378), e(153_962)], "holds"),
        (p.RatioNear(1.18, 0.005), [e(190_000), e(153_962)], "fails"),
    ],
)
def test_predicates_are_judged_by_intervals(predicate: p.Predicate, values: list[p.Estimate], verdict: str) -> None:
    found, text = predicate.judge(values)
    assert found == verdict
    assert str(values[0].value).split(".")[0] in text.replace(",", "")


def test_claims_have_names_of_their_own_and_say_where_they_come_from() -> None:
    assert len({claim.id for claim in ALL}) == len(ALL)
    assert all(claim.sentence and claim.section and claim.source and claim.cells for claim in ALL)
    assert {claim.paper for claim in ALL} == set(PAPERS)


@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.id)
def test_every_cell_of_a_claim_can_be_measured_or_computed(claim: Claim) -> None:
    assert [claims.cell_name(c) for c in claim.cells if not c.runnable and not (c.fact and c.model)] == []


@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.id)
def test_a_claim_is_listed_only_for_data_on_which_tables_have_all_its_cells(claim: Claim) -> None:
    """Else it is untested for ever: no ``bench run <table>`` measures the rest."""

    def place(cell: Cell) -> list[str | None]:
        return [part and part.name for part in (cell.task, cell.model, cell.measure)]

    tabled = [place(c) for table in TABLES.values() for c in table.cells]
    for _, moved in claims.variants(claim):
        assert [claims.cell_name(c) for c in moved.cells if not c.fact and place(c) not in tabled] == []


@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.id)
def test_the_papers_own_numbers_bear_each_claim_out_but_one(claim: Claim) -> None:
    against = ["fails"] if claim.id == "roles-recurrence-dvs128" else ["holds"]  # printed 93.89, the baseline 94.09
    assert [j.verdict for j in judge(claim, []) if j.data == "published"] in ([], against)


@pytest.mark.parametrize(
    ("claim", "row", "column", "otherwise"),
    [
        ("recurrence-n-mnist", "Baseline", "N-MNIST", 96.3),
        ("recurrence-mnist", "With recurrence", "MNIST", 95.0),
        ("leakage-dvs128", "Without leakage", "DVS128 Gesture", 94.5),
        ("leak-fall-dvs128", "k_tau = 0.8", "DVS128 Gesture", 93.0),
        ("leakage-n-mnist", "Without leakage", "N-MNIST", 93.0),
        ("leakage-mnist", "Complete leakage", "MNIST", 96.0),
        ("leakage-cifar10", "Without leakage", "CIFAR10", 96.0),
        ("leaks-n-mnist", "k_tau = 0.8", "N-MNIST", 92.0),
        ("leaks-mnist", "k_tau = 0.9", "MNIST", 97.5),
        ("leaks-cifar10", "k_tau = 0.4", "CIFAR10", 95.9),
        ("collapse-shd", "k_tau = 1.0", "SHD", 50.0),
        ("collapse-ssc", "k_tau = 1.0", "SSC", 50.0),
        ("generalise-reset-1ms", "SNN | leakage Normal | reset Without | recurrence Without", "1ms", 90.0),
        ("generalise-reset-recurrent-1ms", "SNN | leakage Without | reset Without | recurrence With", "1ms", 60.0),
        ("rnn-trained", "LSTM", "3ms", 96.0),
        ("rnn-trained", "GRU", "3ms", 96.0),
        ("silhouette", "Without reset", "Silhouette Coefficient", 0.2),
        ("silhouette", "Without reset", "Silhouette Coefficient", 0.35),
        ("silhouette", "Complete leakage", "Silhouette Coefficient", 0.1),
    ],
)
def test_a_claim_stands_on_each_number_that_it_is_about(claim: str, row: str, column: str, otherwise: float) -> None:
    """With the paper's numbers it holds, with one of them otherwise it does not."""
    known = next(c for c in ALL if c.id == f"roles-{claim}")

    def judged(change: dict[tuple[str, str], float]) -> list[str]:
        cells = {id(c): replace(c, published=str(change.get((c.row, c.column), c.published))) for c in known.cells}
        changed = tuple(replace(c, cells=tuple(cells[id(x)] for x in c.cells)) for c in known.conditions)
        return [j.verdict for j in judge(replace(known, conditions=changed), []) if j.data == "published"]

    assert (judged({}), judged({(row, column): otherwise})) == (["holds"], ["fails"])


def test_generalisation_is_judged_on_each_reading_of_the_windows_and_says_which() -> None:
    name = "roles-generalise-recurrence-10ms"
    readings = [c for c in ALL if c.id.startswith(name)]
    assert [c.id.removeprefix(name) for c in readings] == ["", "-same", "-whole"]
    assert [c.sentence.split(", ")[-1] for c in readings] == ["15 windows", "the same 45 ms", "whole recordings"]
    numbers = {"accuracy": 95, "accuracy@10ms": 60, "accuracy@10ms-same": 90, "accuracy@10ms-full": 93}
    recurrent = {**numbers, "accuracy@10ms": 80, "accuracy@10ms-same": 70}
    standin = TASKS["nmnist-standin"]
    lines = [
        line
        for c in (replace(c, task=standin) for claim in readings for c in claim.cells)
        if c.model and c.measure
        for line in results_of(c, (recurrent if c.model.recurrent else numbers)[c.measure.name], "laptop")
    ]
    found = [j.verdict for claim in readings for j in judge(claim, lines) if j.data == "stand-in"]
    assert found == ["fails", "holds", "undecided"]


def test_a_measure_without_a_unit_that_a_claim_needs_has_a_tolerance_on_its_own_scale() -> None:
    """With one seed the tolerance stands for the interval, and the general one of 1 would leave a share or a loss
    undecided for ever.
    """
    assert {
        c.measure.name
        for claim in ALL
        for c in claim.cells
        if c.measure and not c.measure.unit and c.measure.tolerance > 0.05
    } == set()


def results_of(cell: Cell, number: float, budget: str = "paper", seeds: int = 1, spread: float = 0.0) -> list[Line]:
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    return [
        finished(
            made := Experiment(cell.task, cell.model, seed, budget),
            measure=cell.measure.name,
            version=made.version(cell.measure),
            unit=cell.measure.unit,
            value=number + spread * (seed - 1),
            protocol="best_test",
            n_test=10_000,
            epochs=5,
        )
        for seed in range(seeds)
    ]


A, B = named("nmnist", "lif", "accuracy"), named("nmnist", "lif-no-leak", "accuracy")
CLAIM = Claim("roles-test", "4", "A is above B", (Condition(p.Highest(), (A, B)),), "a test")


def test_a_claim_is_untested_until_all_its_values_are_there_at_one_budget() -> None:
    assert [(j.data, j.verdict) for j in judge(CLAIM, [])] == [("full", "untested")]
    mixed = judge(CLAIM, [*results_of(A, 95), *results_of(B, 90, "laptop")])
    assert (mixed[0].verdict, "1 of 2 values" in mixed[0].text) == ("untested", True)
    both = judge(
        CLAIM, [*results_of(A, 95), *results_of(B, 90), *results_of(A, 80, "laptop"), *results_of(B, 90, "laptop")]
    )
    assert [(j.verdict, j.budget) for j in both] == [("holds", "paper")]


def test_seeds_that_spread_leave_a_claim_undecided() -> None:
    lines = [*results_of(A, 95, seeds=3, spread=2), *results_of(B, 94, seeds=3, spread=2)]
    found = judge(CLAIM, lines)[0]
    assert (found.verdict, "seeds a value: 3" in found.text) == ("undecided", True)
    assert (
        judge(CLAIM, [*results_of(A, 95, seeds=3, spread=0.01), *results_of(B, 94, seeds=3, spread=0.01)])[0].verdict
        == "holds"
    )


def test_a_value_without_an_interval_says_so_in_words_and_prints_none(places: Path) -> None:
    cells = (named("nmnist", "lif-no-reset", "spike-rate"), named("nmnist", "lif", "spike-rate"))
    claim = replace(CLAIM, conditions=(Condition(p.Highest(), cells),))

    def judged(*numbers: float, seeds: int = 1) -> tuple[str, str]:
        lines = [
            line
            for cell, number in zip(cells, numbers, strict=True)
            for line in results_of(cell, number, seeds=seeds, spread=0.001)
        ]
        return judge(claim, lines)[0].verdict, judge(claim, lines)[0].text

    verdict, text = judged(0.3, 0.2)
    assert (verdict, "±" in text, "no interval (one seed): 0.01 assumed for half of one" in text) == (
        "holds",
        False,
        True,
    )
    assert judged(0.205, 0.2)[0] == "undecided"
    assert "±" in judged(0.3, 0.2, seeds=3)[1] and "no interval" not in judged(0.3, 0.2, seeds=3)[1]


def test_a_claim_takes_the_interval_that_the_stored_series_gives(places: Path) -> None:
    """The tolerance of 0.005 would leave this undecided: 0.003 apart, each sample within 0.001."""
    cells = (named("nmnist", "lif", "attack-500"), named("nmnist", "lif-recurrent", "attack-500"))
    claim, lines = replace(CLAIM, conditions=(Condition(p.Highest(), cells),)), []
    for cell, number in zip(cells, (0.043, 0.040), strict=True):
        lines += results_of(cell, number)
        assert cell.task is not None and cell.model is not None and cell.measure is not None
        flipped = [number + 0.001 * (-1) ** i for i in range(100)]
        columns = {"sample": [*range(100)], "flipped": flipped}
        series.write_series(Experiment(cell.task, cell.model, 0, "paper"), cell.measure, "best_test", columns)
    found = judge(claim, lines)[0]
    assert (found.verdict, "0.0430 ± 0.0002" in found.text, "assumed" in found.text) == ("holds", True, False)


def test_stand_ins_and_subsets_are_judged_apart_and_never_mixed_with_the_real_data() -> None:
    standin, subset = substitutes(TASKS["nmnist"])
    lines = [*results_of(replace(A, task=standin), 90, "laptop"), *results_of(replace(B, task=standin), 95, "laptop")]
    assert [(j.data, j.verdict) for j in judge(CLAIM, lines)] == [("full", "untested"), ("stand-in", "fails")]
    lines += [*results_of(A, 95), *results_of(replace(B, task=subset), 90, "laptop")]
    assert [(j.data, j.verdict) for j in judge(CLAIM, lines)] == [
        ("full", "untested"),
        ("subset", "untested"),
        ("stand-in", "fails"),
    ]


def test_a_subset_without_columns_for_all_leaks_is_not_listed_however_many_were_measured() -> None:
    claim = next(c for c in ALL if c.id == "roles-best-leak-dvs128")
    lines = [
        line
        for k in ("0", "0.3", "1.0")
        for line in results_of(named("dvs-gesture-clips", f"lif-leak-{k}", "accuracy"), 90, "laptop")
    ]
    assert [(j.data, j.verdict) for j in judge(claim, lines)] == [("published", "holds"), ("full", "untested")]
    spoken = next(c for c in ALL if c.id == "roles-best-leak-shd")
    lines = results_of(named("spoken-digits-standin", "lif-leak-0.5", "accuracy"), 70, "laptop")
    assert [(j.data, j.verdict) for j in judge(spoken, lines)][1:] == [("full", "untested"), ("stand-in", "untested")]


def trained_for(epochs: int, lines: list[Line]) -> list[Line]:
    return [replace(line, epochs=epochs) for line in lines]


@pytest.mark.parametrize(
    ("budget", "epochs", "verdict"),
    [
        ("laptop", (1, 10), "not comparable"),
        ("laptop", (5, 5), "holds"),
        ("paper", (1, 10), "holds"),  # the papers' own recipes
        ("paper", (5, 5), "holds"),
    ],
)
def test_values_of_unequal_training_at_a_reduced_budget_are_not_compared(
    budget: str, epochs: tuple[int, int], verdict: str
) -> None:
    lines = [*trained_for(epochs[0], results_of(A, 95, budget)), *trained_for(epochs[1], results_of(B, 90, budget))]
    judgement = judge(CLAIM, lines)[0]
    assert judgement.verdict == verdict
    assert ("trained for different numbers of epochs: 1, 10" in judgement.text) == (epochs == (1, 10))
    assert "95.00" in judgement.text


def test_seeds_of_one_value_that_were_trained_unequally_are_not_compared() -> None:
    first, second = results_of(A, 95, "laptop", seeds=2)
    lines = [*trained_for(1, [first]), *trained_for(10, [second]), *results_of(B, 90, "laptop")]
    assert judge(CLAIM, lines)[0].verdict == "not comparable"


def test_conditions_that_are_each_trained_equally_are_judged() -> None:
    others = named("mnist", "lif", "accuracy"), named("mnist", "lif-no-leak", "accuracy")
    claim = replace(CLAIM, conditions=(*CLAIM.conditions, Condition(p.Highest(), others)))
    lines = []
    for cell, number in zip((A, B, *others), (95, 90, 95, 90), strict=True):
        lines += results_of(cell, number, "laptop")
    longer = [replace(line, epochs=10) if line.task == "mnist" else line for line in lines]
    assert judge(claim, longer)[0].verdict == "holds"


def test_the_page_counts_and_explains_claims_that_are_not_comparable() -> None:
    claim = CLAIMS["celif"][0]
    page = claims_page.markdown({"celif": [claims.Judgement(claim, "full", "not comparable", "laptop", "numbers")]})
    assert "0 holds, 0 fails, 0 undecided, 1 not comparable, 0 untested" in page
    assert "*not comparable*: at a reduced budget" in page and "| not comparable (laptop budget) |" in page
    assert f"- {claim.id}, measured: not comparable (laptop budget): numbers" in page


def test_the_command_prints_every_claim_of_a_paper(places: Path) -> None:
    found = json.loads(bench("claims", "roles", "--json").stdout)
    assert {row["id"] for row in found} == {claim.id for claim in CLAIMS["roles"]}
    assert {row["verdict"] for row in found if row["data"] == "full"} == {"untested"}
    done = bench("claims", "rolls")
    assert done.returncode == 1 and "did you mean roles" in done.stderr and "Traceback" not in done.stderr
