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
        f"experiment {line.experiment} ({line.task}/{line.model}/{line.budget}/{line.seed}) has results of"
        f" {len(sides)} weights: {'; '.join(sides)}. Delete the lines of all but one of them from"
        f" results/runs/{line.task}.csv, with their series, and measure again what is missing then:"
        f" python -m bench run {' '.join(tables(line)) or 'TABLE'} --budget {line.budget} --seeds {line.seed + 1}"
    )
