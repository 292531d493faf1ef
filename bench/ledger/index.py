"""The ledger in memory, looked up by what cells ask for: time grows with lines + cells, not with lines x cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property

from bench.ledger.store import Line
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure
from bench.spec.model import Model
from bench.spec.task import Task


class Index:
    """Ledger lines that were read once. Iterating gives them in the ledger's order."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = tuple(lines)
        self._experiments: dict[tuple[int, int, str], tuple[Task, Model, Experiment]] = {}

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Index:
        """``lines`` as an index; one that is an index already is returned as it is."""
        return lines if isinstance(lines, Index) else cls(lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def by_experiment(self) -> dict[str, list[Line]]:
        """Experiment id -> its lines."""
        groups = defaultdict(list)
        for line in self.lines:
            groups[line.experiment].append(line)
        return dict(groups)

    @cached_property
    def _results(self) -> dict[tuple[str, str, str], list[Line]]:
        """(config hash, measure, budget) -> lines with a result. Names of tasks and models do not count."""
        groups = defaultdict(list)
        for line in self.lines:
            if line.status == "ok":
                groups[line.config_hash, line.measure, line.budget].append(line)
        return dict(groups)

    @cached_property
    def _by_config(self) -> dict[str, list[Line]]:
        """Config hash -> lines with a result."""
        groups = defaultdict(list)
        for line in self.lines:
            if line.status == "ok":
                groups[line.config_hash].append(line)
        return dict(groups)

    def by_config(self, config_hash: str) -> list[Line]:
        """Lines with a result of all experiments with these settings, in the ledger's order."""
        return self._by_config.get(config_hash, [])

    @cached_property
    def _attempts(self) -> dict[tuple[str, str, str], list[Line]]:
        """(task, model, measure) -> all lines, whatever became of them."""
        groups = defaultdict(list)
        for line in self.lines:
            groups[line.task, line.model, line.measure].append(line)
        return dict(groups)

    @cached_property
    def data(self) -> frozenset[str]:
        """Data sets on which there are results."""
        return frozenset(line.data for line in self.lines if line.status == "ok")

    def experiment(self, task: Task, model: Model, budget: str) -> Experiment:
        """``Experiment`` of seed 0, whose hashes are computed once for all cells that show it."""
        key = id(task), id(model), budget
        if key not in self._experiments:
            self._experiments[key] = task, model, Experiment(task, model, 0, budget)  # kept, so that an id stays theirs
        return self._experiments[key][2]

    def current(self, task: Task, model: Model, measure: Measure, budget: str) -> list[Line]:
        """Finished lines of every seed that are valid for the present recipe, oldest first."""
        experiment = self.experiment(task, model, budget)
        lines = self._results.get((experiment.config_hash, measure.name, budget), ())
        version = experiment.version(measure)
        valid = [line for line in lines if (line.data_hash, line.version) == (experiment.data_hash, version)]
        return sorted(valid, key=lambda line: line.started_utc)

    def attempts(self, task: Task, model: Model, measure: Measure) -> list[Line]:
        """Lines of any status and version, in the ledger's order."""
        return self._attempts.get((task.name, model.name, measure.name), [])
