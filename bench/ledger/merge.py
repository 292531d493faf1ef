"""Another ledger's lines, environments and series into this one, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from bench import paths
from bench.errors import BenchError
from bench.ledger import correct, histories, provenance, store
from bench.ledger.store import Line

Result = tuple[str, str, str, str]  # experiment, measure, protocol and version of a finished line


@dataclass
class Merge:
    """What a merge brings: ``lines`` and ``series`` that are new here, and how many lines are ``known`` already.

    ``conflicts`` has a sentence for each result that contradicts this ledger. These results are left out.
    ``replaced``: experiments that were trained anew there, whose results here give way.
    """

    lines: list[Line] = field(default_factory=list)
    series: dict[Path, bytes] = field(default_factory=dict)  # path below results/series -> content
    known: int = 0
    conflicts: list[str] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)


def _result(line: Line) -> Result:
    return line.experiment, line.measure, line.protocol, line.version


def _name(line: Line) -> str:
    place = f"{line.task}/{line.model}/{line.budget}/{line.seed} {line.measure} {line.protocol}".rstrip()
    return f"{place} (experiment {line.experiment})"


def _weights(lines: Iterable[Line]) -> dict[str, set[str]]:
    """Weights by experiment that results of ``lines`` were read off."""
    weights: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.status in store.SETTLED and line.checkpoint_sha256:
            weights[line.experiment].add(line.checkpoint_sha256)
    return weights


def plan(other: Path, replace: bool = False) -> Merge:
    """What merging the results folder ``other`` would bring. Nothing is written.

    With ``replace`` an experiment that has other weights there gives way to that one, with all of its results.
    Raises ``BenchError`` where ``other`` holds no ledger, or is this one.
    """
    if other.resolve() == paths.results():
        raise BenchError(f"{other} is this ledger itself: name another results folder")
    if not store.folder(other).is_dir():
        raise BenchError(
            f"{other} has no runs/ with ledger files: name a results folder, as BENCH_RESULTS or --results"
        )
    merge = Merge()
    own = store.read()
    there = store.read(other)
    texts = {tuple(line.texts()) for line in own}
    if replace:
        present_weights = _weights(own)
        merge.replaced = {
            e for e, new in _weights(there).items() if e in present_weights and not new & present_weights[e]
        }
        own = [line for line in own if line.experiment not in merge.replaced]
    finished = {_result(line): line for line in own if line.status == "ok"}
    weights: dict[str, set[str]] = defaultdict(set)
    for line in finished.values():
        weights[line.experiment].add(line.checkpoint_sha256)
    trained_here = frozenset(weights)
    weights_there: dict[str, set[str]] = defaultdict(set)
    for line in there:
        if from_weights := line.status == "ok" or (line.status in store.SETTLED and line.checkpoint_sha256 != ""):
            weights_there[line.experiment].add(line.checkpoint_sha256)
        known_weights = weights[line.experiment]
        present = finished.get(_result(line)) if line.status == "ok" else None
        if tuple(line.texts()) in texts or (present and _same(present, line)):
            merge.known += 1
        elif present:
            merge.conflicts.append(f"{_name(line)}: {present.value} here, {line.value} there")
        elif from_weights and known_weights and line.checkpoint_sha256 not in known_weights:
            merge.conflicts.append(f"{_name(line)}: read from other weights than those known here")
        else:
            merge.lines.append(line)
            if from_weights:
                known_weights.add(line.checkpoint_sha256)
    same = {experiment for experiment, shas in weights_there.items() if shas <= weights[experiment]}
    _add_series(merge, other, same, trained_here, _newest(finished.values()))
    return merge


def _same(line: Line, other: Line) -> bool:
    return (line.value, line.checkpoint_sha256) == (other.value, other.checkpoint_sha256)


def _newest(lines: Iterable[Line]) -> dict[tuple[str, str], Line]:
    """The finished line that was made last, of each measure and experiment."""
    finished = (line for line in lines if line.status == "ok")
    return {(line.measure, line.experiment): line for line in sorted(finished, key=lambda line: line.started_utc)}


def _is_newer(line: Line | None, own: Line | None) -> bool | None:
    """Whether ``line`` was made later than this ledger's ``own`` one, of another version; None without two versions."""
    if line is None or own is None or line.version == own.version:
        return None
    return line.started_utc > own.started_utc


def _add_series(
    merge: Merge, other: Path, same: Set[str], trained_here: Set[str], here: Mapping[tuple[str, str], Line]
) -> None:
    """Series of the lines that are new here, and histories and correctness of experiments that have the ``same``
    weights there.

    One that differs from a file of the same name is a conflict, unless they are of two versions: then the newer stays.
    ``here`` has the newest line of each file that is here. An experiment ``trained_here`` keeps its history.
    """
    new = _newest(merge.lines)
    folder = other / "series"
    for path in sorted(folder.glob("*/*/*.csv")):
        measure, _, name = path.relative_to(folder).parts
        experiment = name.removesuffix(".csv").rsplit("_", 1)[-1]
        of_training = measure in (histories.FOLDER, correct.FOLDER) and experiment in same
        line = new.get((measure, experiment))
        if not of_training and line is None:
            continue
        content = path.read_bytes()
        present = paths.results() / "series" / path.relative_to(folder)
        newer = _is_newer(line, here.get((measure, experiment)))
        if not present.exists() or experiment in merge.replaced or newer:
            merge.series[path.relative_to(folder)] = content
        elif newer is None and present.read_bytes() != content and not (of_training and experiment in trained_here):
            merge.conflicts.append(f"series/{path.relative_to(folder)}: another content here")


def write(merge: Merge, other: Path) -> None:
    """Write what ``plan(other)`` found: series and environments first, so that no line is there without them."""
    for path, content in merge.series.items():
        store.write(paths.results() / "series" / path, content)
    for row in provenance.rows({line.environment for line in merge.lines}, other):
        provenance.add(row)
    store.append(merge.lines, [paths.results() / "series" / path for path in merge.series])
    store.sort()
