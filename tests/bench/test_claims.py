"""The claims engine: values at equal training, parts, kinds of data, and what would decide the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import paths
from bench.errors import BenchError
from bench.ledger import correct, histories, store
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.measures import MEASURES
from bench.papers.registry import CLAIMS, MODELS, PAPERS, TABLES, TASKS, substitutes
from bench.report import claims, claims_page, comparable
from bench.report.claims import judge, on_data
from bench.report.comparable import cell_names
from bench.spec import predicates as p
from bench.spec.claim import Claim, Part, column_cells, value
from bench.spec.estimates import Estimate, loss
from bench.spec.experiment import Experiment
from bench.spec.table import Cell
from datamodules.sources import SOURCES
from tests.bench.test_plan import finished
from tests.conftest import bench

COMMITTED = Index(store.read(paths.COMMITTED))
ALL = [claim for paper in PAPERS for claim in CLAIMS[paper]]


def named(task: str, model: str, measure: str) -> Cell:
    return value(TASKS[task], MODELS[model], MEASURES[measure])


def test_claims_have_names_of_their_own_and_say_where_they_come_from() -> None:
    assert len({claim.id for claim in ALL}) == len(ALL)
    assert all(claim.sentence and claim.section and claim.source and claim.cells for claim in ALL)
    assert {claim.paper for claim in ALL} == set(PAPERS)


def test_compared_cells_are_named_by_what_tells_them_apart_and_a_loss_says_the_row_once() -> None:
    baseline = "SNN (Baseline) | leakage Normal | reset Normal | recurrence Without"
    no_leak = "SNN | leakage Without | reset Normal | recurrence Without"
    one, other, lstm = (
        next(c for c in TABLES["roles-8"].cells if (c.row, c.column) == (row, "1ms"))
        for row in (baseline, no_leak, "LSTM")
    )
    names = ["SNN (Baseline) | leakage Normal, 1ms", "SNN | leakage Without, 1ms", "LSTM, 1ms"]
    assert cell_names([one, other, lstm]) == names
    assert cell_names([one, one]) == [f"{baseline}, 1ms"] * 2  # nothing to tell apart
    before, after = (Estimate(9.0, f"LSTM, {column}", 0) for column in ("3ms", "1ms, whole"))
    assert loss(before, after).name == "LSTM, 3ms to 1ms, whole"


@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.id)
def test_every_cell_of_a_claim_can_be_measured_or_computed(claim: Claim) -> None:
    assert cell_names([c for c in claim.cells if not c.runnable and not (c.fact and c.model)]) == []


@pytest.mark.parametrize("claim", ALL, ids=lambda c: c.id)
def test_a_claim_is_listed_only_for_data_on_which_tables_have_all_its_cells(claim: Claim) -> None:
    """Else it is untested for ever: no ``bench run <table>`` measures the rest."""

    def place(cell: Cell) -> list[str | None]:
        return [part and part.name for part in (cell.task, cell.model, cell.measure)]

    tabled = [place(c) for table in TABLES.values() for c in table.cells]
    moved = [claims.on_data(part, kind) for part in claim.parts for kind in claims.DATA[1:]]
    cells = [c for part in moved if part for c in part.cells]
    assert cell_names([c for c in cells if not c.fact and place(c) not in tabled]) == []


def results_of(
    cell: Cell, number: float, budget: str = "paper", seeds: int = 3, spread: float = 0.01, epochs: int = 5
) -> list[Line]:
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
            epochs=epochs,
        )
        for seed in range(seeds)
    ]


A, B = named("mnist", "lif", "accuracy"), named("mnist", "lif-no-leak", "accuracy")
CLAIM = Claim("roles-test", "4", "A is above B", (Part(p.Highest(), (A, B)),))


def judged(lines: list[Line], claim: Claim = CLAIM, data: str = "full") -> claims.Judgement:
    return next(j for j in judge(claim, lines) if j.data == data)


def test_a_claim_is_untested_until_all_its_values_are_there() -> None:
    assert judged([]).verdict == "untested"
    half = judged(results_of(A, 95))
    assert (half.verdict, half.parts[0].text) == ("untested", "not measured: Without leakage, MNIST, test accuracy")
    assert half.parts[0].commands == (
        "python -m bench run roles-6 --row 'Without leakage' --column MNIST --budget paper --seeds 3",
    )
    assert judged([*results_of(A, 95), *results_of(B, 90)]).verdict == "holds"


def test_the_papers_budget_is_judged_before_a_reduced_one() -> None:
    lines = [*results_of(A, 95), *results_of(B, 90), *results_of(A, 80, "laptop"), *results_of(B, 90, "laptop")]
    part = judged(lines).parts[0]
    assert (part.verdict, part.training) == ("holds", "paper budget, 5 epochs, 3 seeds a value")


def test_seeds_that_spread_leave_a_claim_undecided_and_more_of_them_are_the_next_command() -> None:
    part = judged([*results_of(A, 95, spread=2), *results_of(B, 94, spread=2)]).parts[0]
    assert part.verdict == "undecided"
    assert part.commands[0].endswith("--row Baseline --row 'Without leakage' --column MNIST --budget paper --seeds 5")


@pytest.mark.parametrize("budget", ["paper", "laptop"])
def test_one_seed_decides_nothing(budget: str) -> None:
    part = judged([*results_of(A, 96, budget, seeds=1), *results_of(B, 94, budget)]).parts[0]
    assert part.verdict == "undecided (one seed)"
    assert "--row Baseline" in part.commands[0] and "Without leakage" not in part.commands[0]


def test_one_seed_decides_where_trainings_ended_far_apart() -> None:
    far = judged([*results_of(A, 98, seeds=1), *results_of(B, 50, seeds=1)])
    early = judged([*results_of(A, 98, "laptop", seeds=1), *results_of(B, 50, "laptop", seeds=1)])
    assert (far.verdict, early.verdict) == ("holds", "undecided (one seed)")


def history_of(cell: Cell, budget: str, accuracies: list[float], seeds: int = 3) -> None:
    assert cell.task is not None and cell.model is not None
    for seed in range(seeds):
        records = [
            {"epoch": i + 1, "test/accuracy": value + 0.01 * seed, "test/loss": 1.0, "n_test": 10_000}
            for i, value in enumerate(accuracies)
        ]
        histories.write(Experiment(cell.task, cell.model, seed, budget), records, steps=10 * len(records))


def test_unequal_training_is_compared_after_the_same_number_of_epochs(places: Path) -> None:
    """After ten epochs A is ahead of B after one; after one epoch each it is behind."""
    lines = [*results_of(A, 97, "laptop", epochs=10), *results_of(B, 93, "laptop", epochs=1)]
    without = judged(lines).parts[0]
    assert without.verdict == "not comparable"
    assert "Baseline, MNIST, test accuracy: 10 epochs; Without leakage, MNIST, test accuracy: 1 epoch" in without.text
    assert without.commands == (
        "python -m bench run roles-6 --row 'Without leakage' --column MNIST --budget paper --seeds 3",
    )
    history_of(A, "laptop", [90.0, *[95.0] * 8, 97.0])
    part = judged(lines).parts[0]
    assert (part.verdict, part.training) == ("fails", "laptop budget, 1 epoch, 3 seeds a value")


def test_a_training_at_the_papers_budget_is_cut_to_a_shorter_one(places: Path) -> None:
    lines = [*results_of(A, 98, "paper", epochs=5), *results_of(B, 93, "laptop", epochs=4)]
    assert judged(lines).verdict == "not comparable"
    history_of(A, "paper", [60.0, 80.0, 94.0, 93.9, 98.0])
    part = judged(lines).parts[0]
    assert (part.verdict, part.training) == ("holds", "laptop budget, 4 epochs, 3 seeds a value")
    assert "94.01" in part.text  # the best of the first four, as best_test reads it


def test_what_is_read_from_weights_is_not_compared_after_unequal_training(places: Path) -> None:
    cells = (named("nmnist-standin", "lif-no-reset", "spike-rate"), named("nmnist-standin", "lif", "spike-rate"))
    claim = replace(CLAIM, parts=(Part(p.Highest(), cells),))
    lines = [*results_of(cells[0], 0.3, "laptop", epochs=2), *results_of(cells[1], 0.2, "laptop", epochs=1)]
    history_of(cells[0], "laptop", [90.0, 91.0])
    assert judged(lines, claim).verdict == "not comparable"
    assert judged([replace(line, epochs=1) for line in lines], claim).verdict == "holds"


def test_a_claim_about_trainings_to_the_end_is_not_decided_by_shorter_ones() -> None:
    claim = replace(CLAIM, to_the_end=True)
    lines = [*results_of(A, 95, "laptop"), *results_of(B, 90, "laptop")]
    part = judged(lines, claim).parts[0]
    assert (judged(lines).verdict, part.verdict) == ("holds", "undecided")
    assert "to the end of the paper's budget" in part.text and "--budget paper" in part.commands[0]
    assert judged([*results_of(A, 95), *results_of(B, 90)], claim).verdict == "holds"


def test_seeds_of_one_value_that_were_trained_unequally_are_not_taken_together() -> None:
    first, second, third = results_of(A, 95, "laptop")
    lines = [
        replace(first, epochs=1),
        replace(second, epochs=10),
        replace(third, epochs=10),
        *results_of(B, 90, "laptop"),
    ]
    assert judged(lines).verdict == "not comparable"
    equal = judged([*lines[:3], *results_of(B, 90, "laptop", epochs=10)])
    assert equal.parts[0].training == "laptop budget, 10 epochs, 2 to 3 seeds a value"


def test_parts_are_judged_one_by_one_and_one_that_fails_decides() -> None:
    c, d = named("mnist", "lif-no-reset", "accuracy"), named("mnist", "lif-recurrent", "accuracy")
    parts = (Part(p.Highest(), (A, B), "leakage"), Part(p.Highest(), (c, d), "reset"), Part(p.Highest(), (A, c), "A"))
    claim = replace(CLAIM, parts=parts)
    lines = [*results_of(A, 95), *results_of(B, 90), *results_of(c, 80)]
    found = judged(lines, claim)
    assert [(part.name, part.verdict) for part in found.parts] == [
        ("leakage", "holds"),
        ("reset", "untested"),
        ("A", "holds"),
    ]
    assert found.verdict == "untested"
    assert judged([*lines, *results_of(d, 90)], claim).verdict == "fails"


def test_predictions_of_the_same_test_samples_are_paired(places: Path) -> None:
    """0.6 points apart, each ± 0.6 by its own sample; but B is wrong wherever A is."""
    import numpy as np

    lines = [*results_of(A, 90.6, seeds=3), *results_of(B, 90.0, seeds=3)]
    assert judged(lines).verdict == "undecided"
    for cell, right in ((A, 9060), (B, 9000)):
        assert cell.task is not None and cell.model is not None
        for seed in range(3):
            bools = np.arange(10_000) < right
            correct.write(Experiment(cell.task, cell.model, seed, "paper"), {"best_test": bools})
    assert judged(lines).verdict == "holds"


def test_stand_ins_and_subsets_are_judged_apart_and_never_mixed_with_the_real_data() -> None:
    a, b = named("nmnist", "lif", "accuracy"), named("nmnist", "lif-no-leak", "accuracy")
    claim = replace(CLAIM, parts=(Part(p.Highest(), (a, b)),))
    by_kind = {SOURCES[task.data].kind: task for task in substitutes(TASKS["nmnist"])}
    lines = [
        *results_of(replace(a, task=by_kind["stand-in"]), 90, "laptop"),
        *results_of(replace(b, task=by_kind["stand-in"]), 95, "laptop"),
    ]
    assert [(j.data, j.verdict) for j in judge(claim, lines)] == [("full", "untested"), ("stand-in", "fails")]
    lines += [*results_of(a, 95), *results_of(replace(b, task=by_kind["subset"]), 90, "laptop")]
    assert [(j.data, j.verdict) for j in judge(claim, lines)] == [("full", "untested"), ("stand-in", "fails")]


def test_claims_on_nmnist_are_judged_on_real_recordings_of_seven_digits_where_a_table_has_them() -> None:
    for task, moved in (("nmnist", "nmnist-7"), ("nmnist-whole", "nmnist-7-whole")):
        parts = [
            part
            for claim in CLAIMS["roles"]
            for part in claim.parts
            if {cell.task.name for cell in part.cells if cell.task} == {task}
        ]
        assert parts
        for part in parts:
            found = on_data(part, "subset")
            assert found and {cell.task.name for cell in found.cells if cell.task} == {moved}


def test_nothing_is_judged_on_samples_that_were_trained_on() -> None:
    a, b = named("dvs-gesture", "lif", "accuracy"), named("dvs-gesture", "lif-no-leak", "accuracy")
    claim = replace(CLAIM, parts=(Part(p.Highest(), (a, b)),))
    clips = TASKS["dvs-gesture-clips"]
    lines = [*results_of(replace(a, task=clips), 100, "laptop"), *results_of(replace(b, task=clips), 10, "laptop")]
    assert [j.data for j in judge(claim, lines)] == ["full"]


def test_a_column_that_reads_the_same_data_in_another_way_has_the_papers_own_number() -> None:
    column = next(c for c in TABLES["roles-6"].columns if "input whole" in c and c.startswith("XOR"))
    cells = column_cells(TABLES["roles-6"], column, "Baseline", "Without leakage")
    claim = replace(CLAIM, parts=(Part(p.Highest(), cells),))
    assert "77.50" in judged([], claim, "published").parts[0].text


def test_a_cell_that_does_not_exist_is_one_message_that_says_what_is_there() -> None:
    with pytest.raises(BenchError, match=r"unknown row of roles-6 'Baselin'; did you mean Baseline\?"):
        column_cells(TABLES["roles-6"], "MNIST", "Baselin")
    with pytest.raises(BenchError, match="unknown column of roles-6 'MMNIST'"):
        column_cells(TABLES["roles-6"], "MMNIST", "Baseline")


def test_the_page_has_failing_and_undecided_claims_first_and_questions_of_the_suite_apart() -> None:
    def one(name: str, verdict: str, source: str = "text") -> claims.Judgement:
        claim = replace(CLAIM, id=f"celif-{name}", source=source, reading="a reading")
        part = claims.PartJudgement("a part", verdict, "numbers", "paper budget, 3 seeds", ("python -m bench run x",))
        return claims.Judgement(claim, "full", (part,))

    found = [
        one("a", "holds"),
        one("b", "untested"),
        one("c", "fails"),
        one("d", "undecided"),
        one("e", "fails", "ours"),
    ]
    page = claims_page.markdown({"celif": found})
    own, suite = page.split("### Questions of this suite")
    assert "Measured on the paper's data, 4 in all: 1 holds, 1 fails, 1 undecided" in own
    assert "Measured on the paper's data, 1 in all: 0 holds, 1 fails" in suite
    assert [line.split(" |")[0] for line in own.splitlines() if line.startswith("| celif-")] == [
        "| celif-c",
        "| celif-d",
        "| celif-b",
        "| celif-a",
    ]
    assert "- measured, a part: *fails*: numbers (paper budget, 3 seeds)\n  - `python -m bench run x`" in own


def test_the_command_prints_every_claim_of_a_paper(places: Path) -> None:
    found = json.loads(bench("claims", "roles", "--json").stdout)
    assert {row["id"] for row in found} == {claim.id for claim in CLAIMS["roles"]}
    assert {row["verdict"] for row in found if row["data"] == "full"} == {"untested"}
    done = bench("claims", "rolls")
    assert done.returncode == 1 and "did you mean roles" in done.stderr and "Traceback" not in done.stderr


def test_committed_claims_decide_nothing_from_unequal_training_one_seed_or_a_width_of_zero() -> None:
    """Rules 1, 3 and 5 on the ledger as it is."""
    decided = 0
    for claim in ALL:
        for part, kind in ((part, kind) for part in claim.parts for kind in claims.DATA[1:]):
            moved = claims.on_data(part, kind)
            if moved is None:
                continue
            found = comparable.values(moved.cells, COMMITTED)
            measured = [(c, e) for c, e in zip(moved.cells, found.estimates, strict=bool(found.estimates)) if e.n]
            if not measured or moved.predicate.judge(found.estimates)[0] not in ("holds", "fails"):
                continue
            decided += 1
            assert all(e.half > 0 and not e.parted for _, e in measured), claim.id
            assert all(e.n > 1 or e.ended for _, e in measured), claim.id
            for task in {c.task.name for c, _ in measured if c.task}:
                of_task = [e for c, e in measured if c.task and c.task.name == task]
                assert len({e.epochs for e in of_task}) == 1 or all(e.ended for e in of_task), claim.id
            assert not any(SOURCES[c.task.data].tested_on_training for c, _ in measured if c.task), claim.id
    assert decided > 5


def test_seeds_in_two_groups_decide_nothing_and_are_counted() -> None:
    learned = results_of(A, 99, spread=0.1, seeds=5)
    lines = [*learned[:-1], replace(learned[-1], value=55.0), *results_of(B, 50, seeds=5)]
    part = judged(lines).parts[0]
    assert part.verdict == "undecided" and "[4 of 5 seeds: 99.05]" in part.text
    assert judged([*learned, *results_of(B, 50, seeds=5)]).verdict == "holds"


def test_samples_of_different_data_are_not_paired(places: Path) -> None:
    import numpy as np

    other = named("xor", "lif", "accuracy")
    lines = [*results_of(A, 90.6), *results_of(other, 90.0)]
    for cell in (A, other):
        assert cell.task is not None and cell.model is not None
        for seed in range(3):
            correct.write(Experiment(cell.task, cell.model, seed, "paper"), {"best_test": np.arange(10_000) < 9000})
    assert all(e.right is None for e in comparable.values((A, other), Index(lines)).estimates)
    assert all(e.right is not None for e in comparable.values((A, A), Index(lines)).estimates)


@pytest.mark.parametrize(("epochs", "paired"), [(5, True), (4, False)])
def test_samples_are_paired_at_a_reduced_budget_too_where_no_training_is_cut(
    places: Path, epochs: int, paired: bool
) -> None:
    """What is stored of the samples belongs to the end of a training."""
    import numpy as np

    lines = [*results_of(A, 90.6, "laptop", epochs=5), *results_of(B, 90.0, "laptop", epochs=epochs)]
    history_of(A, "laptop", [90.0] * 5)
    assert A.task is not None and A.model is not None
    for seed in range(3):
        correct.write(Experiment(A.task, A.model, seed, "laptop"), {"best_test": np.arange(10_000) < 9000})
    assert (comparable.values((A, B), Index(lines)).estimates[0].right is not None) == paired
