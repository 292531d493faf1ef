"""The plan is declared minus finished, each experiment once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import plan
from bench.errors import BenchError, unknown
from bench.ledger.store import Line
from bench.ledger.validity import valid
from bench.measures import ACCURACY, SPIKE_RATE
from bench.papers.registry import MODELS, TABLES, TASKS
from bench.papers.roles.models import LIF, LIF_NO_RESET, LIF_RECURRENT
from bench.papers.roles.tasks import MNIST, XOR
from bench.spec.experiment import Experiment, canonical_hash


def cells(name: str) -> list:
    return [(name, c) for c in TABLES[name].cells]


def finished(experiment: Experiment, **changes) -> Line:
    e = experiment
    line = Line(
        e.id,
        "accuracy",
        e.task.name,
        e.model.name,
        e.seed,
        e.budget,
        e.config["data"],
        value=90.0,
        unit="%",
        protocol="last",
        epochs=e.config["epochs"],
    )
    line = replace(
        line, config_hash=e.config_hash, data_hash=e.data_hash, version=e.version(ACCURACY), epochs=e.config["epochs"]
    )
    return replace(line, **changes)


def seconds(job: plan.Job, lines: list[Line]) -> float | None:
    return plan.ExpectedTimes(lines).job(job)


def all_lines(made: plan.Plan) -> list[Line]:
    return [finished(job.experiment) for job in made.jobs]


def test_everything_runnable_is_planned_at_first_and_nothing_once_finished(mnist_here: None) -> None:
    made = plan.make(cells("roles-6"), "laptop", 1, [])
    assert (made.cells, made.done, len(made.jobs), len(made.no_data)) == (
        79,
        0,
        20,
        59,
    )
    again = plan.make(cells("roles-6"), "laptop", 1, all_lines(made))
    assert (again.cells, again.done, again.jobs, again.no_data) == (79, 20, (), made.no_data)


def test_deleting_one_line_plans_exactly_that_experiment(mnist_here: None) -> None:
    made = plan.make(cells("roles-6"), "laptop", 1, [])
    lines = all_lines(made)
    for place, line in enumerate(lines):
        again = plan.make(cells("roles-6"), "laptop", 1, lines[:place] + lines[place + 1 :])
        assert [job.experiment.id for job in again.jobs] == [line.experiment]


def test_adding_a_seed_reruns_nothing_that_is_finished(mnist_here: None) -> None:
    lines = all_lines(plan.make(cells("roles-6"), "laptop", 1, []))
    made = plan.make(cells("roles-6"), "laptop", 3, lines)
    assert sorted({job.experiment.seed for job in made.jobs}) == [1, 2]
    assert len(made.jobs) == 40


def test_an_experiment_of_two_tables_is_trained_once(mnist_here: None) -> None:
    made = plan.make(cells("roles-6") + cells("roles-7"), "laptop", 1, [])
    ids = [job.experiment.id for job in made.jobs]
    assert len(ids) == len(set(ids))
    alone = [len(plan.make(cells(name), "laptop", 1, []).jobs) for name in ("roles-6", "roles-7")]
    assert len(ids) == sum(alone) - 3  # k = 0.3, 0 and 1 on MNIST are rows of roles-6 too


@pytest.mark.parametrize(
    "change", [{"status": "failed"}, {"config_hash": "x"}, {"data_hash": "x"}, {"version": "task=0"}, {"seed": 5}]
)
def test_failed_and_stale_lines_do_not_count_as_finished(mnist_here: None, change: dict) -> None:
    lines = all_lines(plan.make(cells("roles-6"), "laptop", 1, []))
    made = plan.make(cells("roles-6"), "laptop", 1, [replace(lines[0], **change), *lines[1:]])
    assert [job.experiment.id for job in made.jobs] == [lines[0].experiment]


def test_an_experiment_whose_weights_are_in_another_home_names_them_by_their_sha256(
    mnist_here: None, places: Path
) -> None:
    first, *others = plan.make(cells("roles-6"), "laptop", 1, []).jobs
    assert first.weights_elsewhere == ""  # trained nowhere
    line = finished(first.experiment, checkpoint_sha256="5ac3" * 16)
    stale = replace(line, version=line.version.replace("accuracy=1", "accuracy=0"))  # trained, and to be measured again
    failed = replace(stale, status="failed", checkpoint_sha256="ffff")
    again, *rest = plan.make(cells("roles-6"), "laptop", 1, [stale, failed]).jobs
    assert again.weights_elsewhere == "5ac3" * 16
    assert rest == others
    weights = places / "home" / "experiments" / first.experiment.id / "weights.pt"
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert plan.make(cells("roles-6"), "laptop", 1, [stale]).jobs[0].weights_elsewhere == ""


def test_missing_data_leaves_the_other_columns_to_run(places: Path) -> None:
    made = plan.make(cells("roles-6"), "laptop", 1, [])
    assert {job.experiment.task.name for job in made.jobs} == {"xor", "xor-script", "xor-whole-input"}
    published = {"shd", "ssc", "nmnist", "dvs-gesture", "mnist", "cifar10"}
    others = {"nmnist-standin", "nmnist-7", "spoken-digits-standin", "dvs-gesture-clips"}
    whole_input = {"shd-whole-input", "ssc-whole-input", "spoken-digits-standin-whole-input"}
    assert {job.experiment.task.name for job in made.no_data} == published | others | whole_input


def test_the_id_follows_what_decides_the_weights_and_nothing_else() -> None:
    base = Experiment(MNIST, LIF, 0, "laptop")
    renamed = Experiment(replace(MNIST, name="other", title="Other"), replace(LIF, name="x", title="y"), 0, "laptop")
    assert renamed.id == base.id
    others = [
        Experiment(MNIST, LIF, 1, "laptop"),
        Experiment(MNIST, LIF, 0, "paper"),
        Experiment(MNIST, LIF_NO_RESET, 0, "laptop"),
        Experiment(MNIST, LIF_RECURRENT, 0, "laptop"),
        Experiment(XOR, LIF, 0, "laptop"),
        Experiment(replace(MNIST, lr=2e-4), LIF, 0, "laptop"),
        Experiment(replace(MNIST, version=MNIST.version + 1), LIF, 0, "laptop"),
        Experiment(MNIST, LIF, 0, "laptop", (("lr", 2e-4),)),
    ]
    assert others[5].id == others[7].id  # --set lr is the same training as a recipe with that lr
    assert len({e.id for e in [base, *others[:7]]}) == 8


def test_a_training_that_a_reduced_budget_does_not_change_has_paper_budget() -> None:
    copy = TABLES["celif-fig-5"].cell("CE-LIF", "Copy memory, T = 100")
    adding = TABLES["celif-fig-5"].cell("CE-LIF", "Adding problem, T = 100")
    budgets = [plan.experiments(cell, budget, 1)[0].budget for cell in (copy, adding) for budget in ("laptop", "smoke")]
    assert budgets == ["paper", "smoke", "laptop", "smoke"]
    assert plan.find_experiment("celif-fig-5", "CE-LIF", copy.column, 0, "laptop").budget == "paper"
    changed = plan.experiments(adding, "laptop", 1, (("epochs", 200),))
    assert changed[0].budget == "laptop"  # it stays exploratory


def test_a_changed_neuron_version_makes_results_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Experiment(MNIST, LIF, 0, "laptop")
    line = finished(before)
    monkeypatch.setattr("bench.spec.experiment.neuron_version", lambda name: 2)
    after = Experiment(MNIST, LIF, 0, "laptop")
    assert after.id != before.id
    assert valid(line, before, ACCURACY)
    assert not valid(line, after, ACCURACY)


def test_a_hash_takes_plain_types_only_and_ignores_their_order() -> None:
    assert canonical_hash({"a": 1, "b": [2.5, None]}) == canonical_hash({"b": [2.5, None], "a": 1})
    assert canonical_hash({"a": 1.0}) != canonical_hash({"a": 2.0})
    for bad in (float("nan"), object(), {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            canonical_hash(bad)


def test_rows_and_columns_are_found_by_their_names_in_any_case_and_as_tables_print_them() -> None:
    for table in TABLES.values():
        for row in table.rows:
            assert {c.row for c in plan.select(table, [row.upper()])} == {row}
            assert {c.row for c in plan.select(table, [row.replace("|", "/")])} == {row}
        for column in table.columns:
            assert {c.column for c in plan.select(table, [], [column.lower()])} == {column}


def test_unknown_rows_columns_budgets_and_settings_name_the_nearest() -> None:
    table = TABLES["roles-6"]
    with pytest.raises(BenchError, match="did you mean Baseline"):
        plan.select(table, ["basline"])
    with pytest.raises(BenchError, match="did you mean MNIST"):
        plan.select(table, [], ["MNST"])
    with pytest.raises(BenchError, match="did you mean laptop"):
        plan.make(cells("roles-6"), "labtop", 1, [])
    with pytest.raises(BenchError, match="seeds must be at least 1"):
        plan.make(cells("roles-6"), "laptop", 0, [])
    with pytest.raises(BenchError, match="did you mean batch_size"):
        _ = Experiment(MNIST, LIF, 0, "laptop", (("batchsize", 5),)).config
    with pytest.raises(BenchError, match="unknown setting"):
        _ = Experiment(MNIST, LIF, 0, "laptop", (("neurons.leak", 0.5),)).config
    with pytest.raises(BenchError, match="did you mean clip"):
        _ = Experiment(MNIST, LIF, 0, "laptop", (("clop", 1.0),)).config


def test_a_setting_that_the_recipe_leaves_at_its_default_can_be_changed() -> None:
    plain, clipped = (Experiment(MNIST, LIF, 0, "laptop", o) for o in ((), (("clip", 1.0),)))
    assert "clip" not in plain.config and clipped.config["clip"] == 1.0 and plain.id != clipped.id


def test_expected_time_is_the_median_of_the_same_task_and_budget(mnist_here: None) -> None:
    job = next(j for j in plan.make(cells("roles-6"), "laptop", 1, []).jobs if j.experiment.task is MNIST)
    other = finished(Experiment(MNIST, MODELS["lif-no-leak"], 0, "laptop"))
    assert seconds(job, []) is None
    assert seconds(job, [replace(other, wall_s=s) for s in (10.0, 20.0, 90.0)]) == 20.0
    assert seconds(job, [replace(other, wall_s=10.0), replace(finished(job.experiment), wall_s=50.0)]) == 50.0


def test_expected_time_of_a_reading_counts_every_protocol(mnist_here: None) -> None:
    one = Experiment(MNIST, LIF, 0, "laptop")
    trained, read = (
        replace(finished(one), measure=name, wall_s=wall) for name, wall in (("accuracy", 60.0), (SPIKE_RATE.name, 4.0))
    )
    assert len(SPIKE_RATE.protocols) == 2
    assert plan.ExpectedTimes([trained, read]).usual(one, [ACCURACY, SPIKE_RATE]) == 68.0


def test_expected_time_of_a_model_that_never_ran_is_that_of_its_kind() -> None:
    gru = Experiment(TASKS["nmnist"], MODELS["gru-512"], 0, "laptop")
    seconds = {"lif": 60.0, "lstm-512": 900.0, "rnn-512": 300.0}
    known = [
        replace(finished(Experiment(gru.task, MODELS[name], 0, "laptop")), wall_s=wall)
        for name, wall in seconds.items()
    ]
    assert plan.ExpectedTimes(known).usual(gru, []) == 600.0
    assert plan.ExpectedTimes(known[:1]).usual(gru, []) == 60.0
    assert plan.ExpectedTimes(known).usual(Experiment(gru.task, MODELS["lif-no-reset"], 0, "laptop"), []) == 60.0


def test_expected_time_of_what_never_ran_is_scaled_from_other_lengths_and_epochs() -> None:
    short = Experiment(TASKS["copy-100"], LIF, 0, "laptop")
    line = replace(finished(short), wall_s=60.0, epochs=50)
    assert plan.ExpectedTimes([line]).usual(Experiment(TASKS["copy-400"], LIF, 0, "laptop"), []) == pytest.approx(240.0)
    assert plan.ExpectedTimes([line]).usual(Experiment(TASKS["copy-100"], LIF, 0, "smoke"), []) == pytest.approx(
        60.0 / 50 / 50 / 16
    )
    assert plan.ExpectedTimes([line]).usual(Experiment(TASKS["adding-200"], LIF, 0, "laptop"), []) is None


def test_expected_time_comes_from_the_settings_then_the_model_on_the_same_data_then_its_kind() -> None:
    seq, ps = TASKS["seq-mnist"], TASKS["ps-mnist"]
    e = Experiment(ps, MODELS["celif-embedding-te"], 0, "laptop")
    kin = replace(finished(Experiment(ps, MODELS["celif-154k"], 0, "laptop")), wall_s=5000.0)
    assert (e.config["epochs"], kin.epochs) == (1, 10)
    assert plan.ExpectedTimes([kin]).usual(e, []) == 500.0
    own = replace(finished(Experiment(seq, e.model, 0, "laptop")), wall_s=190.0)
    assert plan.ExpectedTimes([kin, own]).usual(e, []) == 190.0
    old = replace(finished(e), config_hash="another recipe", wall_s=900.0)
    assert plan.ExpectedTimes([kin, own, old]).usual(e, []) == 190.0
    assert plan.ExpectedTimes([old]).usual(e, []) == 900.0
    assert plan.ExpectedTimes([kin, own, old, replace(finished(e), wall_s=200.0)]).usual(e, []) == 200.0


def test_a_network_with_delays_is_expected_to_take_as_long_as_others_do() -> None:
    seq = TASKS["seq-mnist"]
    fused, late = (
        replace(finished(Experiment(seq, MODELS[name], 0, "laptop")), wall_s=60.0) for name in ("celif-154k", "lsnn")
    )
    dexat = Experiment(seq, MODELS["dexat"], 0, "laptop")
    assert fused.epochs == 10 and late.epochs == 3 == dexat.config["epochs"]
    assert plan.ExpectedTimes([fused]).usual(dexat, []) == pytest.approx(18.0)
    assert plan.ExpectedTimes([late]).usual(dexat, []) == 60.0


def test_every_recipe_value_says_where_it_comes_from() -> None:
    for task in TASKS.values():
        config = Experiment(task, LIF, 0, "paper").config
        silent = [name for name in config if name != "recurrent" and not task.sources.get(name)]
        assert not silent, f"{task.name}: {silent}"


def test_a_column_is_named_by_its_head_or_by_its_task() -> None:
    table = TABLES["roles-6"]
    by_head = plan.select(table, ["Baseline"], ["SHD (spoken digits)"])
    assert plan.select(table, ["baseline"], ["spoken-digits-standin"]) == by_head != []
    assert {cell.column for cell in plan.select(TABLES["roles-8"], [], ["nmnist-standin"])} == {
        cell.column for cell in TABLES["roles-8"].cells if cell.runnable and cell.task.name == "nmnist-standin"
    }


def test_of_many_names_the_nearest_and_the_command_that_lists_all_are_told() -> None:
    message = str(unknown("model", "lif-norest", MODELS, "python -m bench list models"))
    assert "did you mean lif-no-reset" in message
    assert message.endswith(f"All {len(MODELS)}: python -m bench list models")
    assert len(message) < 200
    few = str(unknown("budget", "small", ("smoke", "laptop", "paper")))
    assert few == "unknown budget 'small'. Known: smoke, laptop, paper"
