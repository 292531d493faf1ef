"""What a search varies and which winner counts, without training."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import optuna
import pytest
from click.testing import CliRunner
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from bench.errors import BenchError
from bench.papers.registry import MODELS, TASKS
from sweeps import search as searching
from sweeps.__main__ import cli
from sweeps.search import Search
from sweeps.search_report import progress_text
from sweeps.search_space import Subject, experiment

MODEL = "lif"


def subject(*params: str, only: bool = True) -> Subject:
    return Subject.of("xor", MODEL, "laptop", params, only)


@pytest.mark.parametrize(
    ("param", "name", "distribution"),
    [
        ("lr=1e-4..1e-1:log", "lr", FloatDistribution(1e-4, 1e-1, log=True)),
        ("batch_size=10..1000", "batch_size", IntDistribution(10, 1000)),
        ("batch_size=10..1000:log", "batch_size", IntDistribution(10, 1000, log=True)),
        ("neuron.threshold=.1..1", "threshold", FloatDistribution(0.1, 1.0)),
        ("threshold=.1..1", "threshold", FloatDistribution(0.1, 1.0)),
    ],
)
def test_a_param_is_a_recipe_field_or_a_neuron_field_with_the_kind_that_the_recipe_has(
    param: str, name: str, distribution: BaseDistribution
) -> None:
    found = subject(param)
    assert found.space == {name: distribution} and set(found.recipe) == {name}


def test_choices_are_kept_and_lists_become_lists_of_the_experiment() -> None:
    plain = experiment(TASKS["xor"], MODELS[MODEL], "laptop", {})
    layers = json.dumps(plain.config["layers"])
    found = subject(f"layers={layers},[20, 12, 2]", f"optimiser={plain.config['optimiser']},sgd")
    assert found.space["layers"] == CategoricalDistribution([layers, "[20, 12, 2]"])
    trained = experiment(found.task, found.model, "laptop", {"layers": "[20, 12, 2]", "lr": 0.01, "threshold": 0.4}, 2)
    assert (trained.config["layers"], trained.config["lr"]) == ([20, 12, 2], 0.01)
    assert trained.config["neuron"]["threshold"] == 0.4
    assert trained.seed == 2 and trained.config["data_settings"]["validation"] == 0.1


def test_params_are_searched_with_the_neurons_own_space_unless_only_they_are_wanted() -> None:
    own = Subject.of("xor", MODEL, "laptop").space
    assert set(subject("lr=1e-4..1e-1:log", only=False).space) == {*own, "lr"}
    without = next(m for m in MODELS.values() if m.neuron == "")
    with pytest.raises(BenchError, match="has no search space"):
        Subject.of("xor", without.name, "laptop")


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("lr", "--param takes NAME=LOW..HIGH"),
        ("lr=", "--param takes NAME=LOW..HIGH"),
        ("lr=0.1", "with two values or more"),
        ("lr=a..b", "--param takes NAME=LOW..HIGH"),
        ("lr=1e-1..1e-4", "the lower bound must be below the upper one"),
        ("lr=0..1e-1:log", "the lower bound must be above 0 and below"),
        ("lr=-1..1", "--param lr takes a number above 0"),
        ("batch_size=0.5..64", "takes whole numbers"),
        ("learning_rate=1e-4..1e-1", "did you mean lr?"),
        ("treshold=0.1..1", "did you mean threshold?"),
        ("optimiser=1..2", "is no number, name its values"),
        ("lr=1e-9..1e-8", "leaves out the recipe's own value"),
    ],
)
def test_a_wrong_param_is_one_message(param: str, message: str) -> None:
    with pytest.raises(BenchError) as error:
        subject(param)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_searches_that_differ_are_studies_with_names_of_their_own(places: Path) -> None:
    names = [
        Search(subject(only=False) if not params else subject(*params), seeds=seeds).name
        for params, seeds in (((), 1), ((), 3), (("lr=1e-4..1e-1:log",), 1))
    ]
    assert names == [
        "search lif on xor (laptop)",
        "search lif on xor (laptop; 3 seeds)",
        "search lif on xor (laptop; lr=1e-4..1e-1:log; only)",
    ]
    with pytest.raises(BenchError, match="seeds per trial must be at least 1, got 0"):
        Search(subject(only=False), seeds=0)


def searched(*trials: list[float], params: tuple[str, ...] = ()) -> Search:
    """A search with a finished trial for each list of the seeds' values, the recipe's own first."""
    found = Search(Subject.of("xor", MODEL, "laptop", params), seeds=len(trials[0]))
    for number, values in enumerate(trials):
        settings = found.subject.recipe | ({"threshold": 0.3 - number / 100} if number else {})
        found.study.add_trial(
            optuna.trial.create_trial(
                params=settings,
                distributions=found.subject.space,
                value=sum(values) / len(values),
                user_attrs={"values": values},
            )
        )
    return found


@pytest.mark.parametrize(
    ("trials", "counts", "text"),
    [
        (([80.0, 80.2, 80.1], [85.0, 85.1, 85.2]), True, "the winner counts: 5.00 ± "),
        (([80.0, 84.0, 76.0], [85.0, 75.0, 86.0]), False, "the winner does not count: 2.00 ± "),
        (([80.0], [95.0]), False, "one seed a trial has no interval"),
        (([90.0, 90.1], [80.0, 80.1]), False, "no trial is better than the recipe's own settings"),
    ],
)
def test_a_winner_counts_only_beyond_the_interval_of_its_seeds(
    places: Path, monkeypatch: pytest.MonkeyPatch, trials: tuple[list[float], ...], counts: bool, text: str
) -> None:
    monkeypatch.setenv("BENCH_BEST", str(places / "best"))
    found = searched(*trials)
    assert (found.verdict.counts, text in found.verdict.text) == (counts, True), found.verdict.text
    saved = tomllib.loads(Path(found.save()).read_text())
    assert (saved["counts"], saved["trial"]) == (counts, found.study.best_trial.number)
    assert list((places / "home" / "searches").iterdir()) and not (places / "best").exists()
    exported = tomllib.loads(Path(found.export()).read_text())
    assert exported["trial"] == (1 if counts else 0)  # what does not count is not exported


def test_the_table_at_the_end_has_the_winner_and_the_recipe_whatever_its_place(places: Path) -> None:
    found = searched([10.0, 11.0], *([20.0 + n, 21.0 + n] for n in range(8)))
    head, first, *middle, last = found.table().splitlines()
    assert head.split() == ["trial", "validation", "%", "threshold", "width"]
    assert first.startswith("winner  8") and last.startswith("recipe  0") and len(middle) == 4
    assert "27.50 ± " in first and "10.50 ± " in last


def test_settings_of_the_recipe_are_kept_and_not_exported_to_tuned_rows(places: Path) -> None:
    found = searched([80.0, 80.1], [90.0, 90.1], params=("lr=1e-4..1e-1:log",))
    saved = tomllib.loads(Path(found.save()).read_text())
    assert set(saved["neuron"]) == {"threshold", "width"} and set(saved["recipe"]) == {"lr"}
    with pytest.raises(BenchError, match="tuned rows take settings of the neuron only, not lr"):
        found.export()


def test_a_line_of_a_trial_has_the_best_so_far_and_the_time_left(places: Path) -> None:
    found = searched([80.0], [70.0])
    line = progress_text(found.study.trials[1], found.study, 4)
    assert line.startswith("trial 1 complete: 70.00 % with threshold=0.29, width=0.5; best so far 80.00 % (trial 0)")
    assert line.endswith(" left") and " left" not in progress_text(found.study.trials[1], found.study, 2)


def test_status_has_searches_with_their_best(places: Path) -> None:
    assert CliRunner().invoke(cli, ["status"]).stdout == "nothing is queued\n"
    searched([80.0], [90.0])
    Search(Subject.of("xor", MODEL, "smoke"))
    shown = CliRunner().invoke(cli, ["status"]).stdout.splitlines()
    assert shown == [
        "search lif on xor (laptop): 2 complete; best 90.00 % (trial 1) with threshold=0.29, width=0.5",
        "search lif on xor (smoke): no trial",
    ]
    first, second = json.loads(CliRunner().invoke(cli, ["status", "--json"]).stdout)
    assert first["best"] == {"trial": 1, "value": 90.0, "settings": {"threshold": 0.29, "width": 0.5}}
    assert first["trials"]["complete"] == 2 and second["best"] is None


def test_a_trial_is_the_mean_of_its_seeds_and_the_first_has_the_recipes_own_settings(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_train", lambda trial, candidate, threads: 50.0 + candidate.seed)
    found = Search(subject("lr=1e-4..1e-1:log"), seeds=3)
    lines: list[int] = []
    found.run(2, report=lambda trial: lines.append(trial.number))
    first, second = found.study.trials
    assert lines == [0, 1] and first.params == found.subject.recipe
    assert second.value == 51.0 and second.user_attrs["values"] == [50.0, 51.0, 52.0]


def test_trials_that_other_workers_run_count_where_a_search_is_shared(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_train", lambda *_: 50.0)
    found = Search(subject("lr=1e-4..1e-1:log"))
    found.study.ask()  # another worker's
    found.run(3, shared=True)
    assert len(found.study.trials) == 3
    found.run(3)  # that worker was killed: the command goes on alone
    assert len(found.study.trials) == 4


def test_a_search_that_is_stopped_prints_no_traceback(
    places: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(searching, "_train", stop)
    found = Search(subject("lr=1e-4..1e-1:log"))
    with pytest.raises(KeyboardInterrupt):
        found.run(2)
    assert "Traceback" not in capfd.readouterr().err
    assert found.study.trials[0].state == optuna.trial.TrialState.FAIL
