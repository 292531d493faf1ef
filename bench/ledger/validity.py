"""Whether a ledger line is a current result, and whether the results of each experiment stem from one training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bench.errors import BenchError
from bench.ledger.store import SETTLED, Line
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure


def valid(line: Line, experiment: Experiment, measure: Measure) -> bool:
    """Whether ``line`` is a finished, current result of ``measure`` on ``experiment``, or says that there can be
    none.
    """
    return (
        line.status in SETTLED
        and line.measure == measure.name
        and line.config_hash == experiment.config_hash
        and line.data_hash == experiment.data_hash
        and line.version == experiment.version(measure)
        and line.seed == experiment.seed
    )


def check_trainings(lines: Iterable[Line], find: Callable[[Line], Experiment | None]) -> None:
    """Raise ``BenchError`` if finished lines are of a training that is not what its recipe says: of another number of
    epochs, or tested on another number of samples than others on the same data. It names them all.

    ``find`` gives the experiment of a line as it is declared now, ``None`` where the recipe is gone.
    """
    finished = [line for line in lines if line.status == "ok"]
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in finished:
        groups.setdefault((line.task, line.model, line.budget, line.config_hash), []).append(line)
    texts = [text for group in groups.values() for text in _wrong_epochs(group, find(group[0]))]
    texts += _wrong_samples(line for line in finished if line.measure == "accuracy")
    if texts:
        raise BenchError("\n".join(texts))


def _wrong_epochs(lines: Sequence[Line], experiment: Experiment | None) -> list[str]:
    """A text for each experiment among ``lines``, which have one configuration, that was not trained as it says."""
    if experiment is None or experiment.config_hash != lines[0].config_hash:
        return []  # of an earlier recipe: stale
    epochs = experiment.config["epochs"]
    wrong = {line.experiment: line for line in lines if line.epochs != epochs}
    return [
        f"{_name(line)} has {line.epochs} epochs where its recipe has {epochs}: {_remedy(line)}"
        for line in wrong.values()
    ]


def _wrong_samples(lines: Iterable[Line]) -> list[str]:
    """A text for each line tested on fewer samples than another on the same data at the same budget."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.task, line.data_hash, line.budget), []).append(line)
    texts = []
    for group in groups.values():
        most = max(line.n_test or 0 for line in group)
        texts += [
            f"{_name(line)} was tested on {line.n_test} samples where others were on {most}: {_remedy(line)}"
            for line in group
            if (line.n_test or 0) != most
        ]
    return texts


def _name(line: Line) -> str:
    return f"experiment {line.experiment} ({line.task}/{line.model}/{line.budget}/{line.seed})"


def _remedy(line: Line) -> str:
    return f"delete its lines from results/runs/{line.task}.csv and train it again"


def check_weights(lines: Iterable[Line], tables: Callable[[Line], Sequence[str]]) -> None:
    """Raise ``BenchError`` if finished lines of one experiment were read off different weights; it names them all.

    ``tables`` gives the names of the tables that show a line's experiment.
    """
    experiments: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        if line.status == "ok":
            experiments.setdefault(line.experiment, {}).setdefault(line.checkpoint_sha256, []).append(line)
    texts = [_conflict(by_weights, tables) for by_weights in experiments.values() if len(by_weights) > 1]
    if texts:
        raise BenchError("\n".join(texts))


def _conflict(by_weights: dict[str, list[Line]], tables: Callable[[Line], Sequence[str]]) -> str:
    """What to know of an experiment whose lines stem from several weights."""
    line = next(iter(by_weights.values()))[0]
    sides = [
        f"weights {sha[:12] or 'unknown'} gave {', '.join(dict.fromkeys(x.measure for x in group))}"
        for sha, group in by_weights.items()
    ]
    return (
        f"{_name(line)} has results of"
        f" {len(sides)} weights: {'; '.join(sides)}. Delete the lines of all but one of them from"
        f" results/runs/{line.task}.csv, with their series, and measure again what is missing then:"
        f" python -m bench run {' '.join(tables(line)) or 'TABLE'} --budget {line.budget} --seeds {line.seed + 1}"
    )
