"""The ledger: one CSV per task under ``results/runs/``, one line per (experiment, measure, protocol). The one source of
truth.
"""

from __future__ import annotations

import csv
import errno
import io
import math
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import csv_files
from bench.ledger.locks import results_lock
from datamodules import files

SCHEMA = 1
STATUSES = ("ok", "failed", "timeout", "oom", "diverged", "preempted", "data missing", "not applicable")
SETTLED = ("ok", "not applicable")  # statuses of what was read off trained weights


@dataclass(frozen=True)
class Line:
    """One line. Every field is text in the file; numbers here are ``None`` where empty. Times in seconds, memory in MB,
    energy in nJ.
    """

    # identity
    experiment: str
    measure: str
    task: str
    model: str
    seed: int
    budget: str
    data: str  # data set; a subset or stand-in has a name of its own
    # result
    value: float | None = None
    unit: str = ""
    protocol: str = ""
    epoch: int | None = None
    n_test: int | None = None
    status: str = "ok"
    error: str = ""
    # cost
    wall_s: float | None = None
    epochs: int | None = None
    steps: int | None = None
    params: int | None = None
    peak_mb: float | None = None
    # activity
    spike_rate: float | None = None
    synops: float | None = None
    energy_nj: float | None = None
    energy_convention: str = ""
    # links
    wandb_run: str = ""
    optuna_study: str = ""
    optuna_trial: int | None = None
    checkpoint_sha256: str = ""
    # validity
    config_hash: str = ""
    data_hash: str = ""
    version: str = ""
    git_commit: str = ""
    git_dirty: bool | None = None
    environment: str = ""
    started_utc: str = ""
    schema: int = SCHEMA

    @property
    def key(self) -> tuple:
        """Sort order of the file."""
        return (
            self.model,
            self.budget,
            self.seed,
            self.experiment,
            self.measure,
            self.protocol,
            self.started_utc,
            self.status,
        )

    def texts(self) -> list[str]:
        return [_text(getattr(self, name)) for name in HEADER]


HEADER = ["schema", *(f.name for f in fields(Line) if f.name != "schema")]
_KINDS = {f.name: str(f.type) for f in fields(Line)}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.7g}"
    return " ".join(str(value).split())


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _converter(kind: str) -> Callable[[str], Any] | None:
    """Text -> value of a field of that type; ``None`` where the text is the value."""
    if "str" in kind:
        return None
    convert: Callable[[str], Any] = _finite if "float" in kind else int
    if "bool" in kind:
        convert = {"yes": True, "no": False}.__getitem__
    if "None" in kind:
        return lambda text: convert(text) if text else None
    return convert


_CONVERTERS = [(i, name, c) for i, name in enumerate(HEADER) if (c := _converter(_KINDS[name]))]


def _line(row: list[str]) -> Line:
    """The line of one row of a file. Raises ``ValueError`` or ``KeyError`` for a field of another type."""
    values: dict[str, Any] = dict(zip(HEADER, row, strict=True))
    for i, name, convert in _CONVERTERS:
        try:
            values[name] = convert(row[i])
        except ValueError as error:
            raise ValueError(f"{name} is empty" if row[i] == "" else str(error)) from None
    line = object.__new__(Line)
    line.__dict__.update(values)  # a frozen dataclass sets its fields one by one, which takes ten times as long
    return line


def folder(results: Path | None = None) -> Path:
    """Where the files of a ledger are, by default of the one in use."""
    return (results or paths.results()) / "runs"


def read(results: Path | None = None, only: Iterable[str] | None = None) -> list[Line]:
    """All lines of the ledger in ``results``, or those of the tasks in ``only``. By default it is the one in use, with
    plug-ins behind the lines of the committed one.

    Raises ``BenchError`` as ``read_file`` does.
    """
    lines = _lines_in(folder(results), only)
    lower = paths.below() if results is None else None
    return lines if lower is None else [*_of_other_weights(_lines_in(folder(lower), only), lines), *lines]


def _of_other_weights(lower: list[Line], lines: list[Line]) -> list[Line]:
    """``lower`` without the lines of experiments that ``lines`` have from weights of their own."""
    weights = {line.experiment: line.checkpoint_sha256 for line in lines if line.status in SETTLED}
    return [line for line in lower if weights.get(line.experiment, line.checkpoint_sha256) == line.checkpoint_sha256]


def _lines_in(ledger: Path, only: Iterable[str] | None) -> list[Line]:
    files = sorted(ledger.glob("*.csv"))
    if only is not None:
        names = set(only)
        files = [path for path in files if path.stem in names]
    return [line for path in files for line in read_file(path)]


_read: dict[Path, tuple[tuple[int, int, int], list[Line]]] = {}  # what this process has read, with the files' state


def read_file(path: Path) -> list[Line]:
    """The lines of one file; one that has not changed since this process read it is not read again. Raises
    ``BenchError`` naming file and line of anything that is not a ledger line.
    """
    stat = path.stat()
    state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if path not in _read or _read[path][0] != state:
        _read[path] = state, _parsed(path)
    return list(_read[path][1])


def _parsed(path: Path) -> list[Line]:
    first, *raws = csv_files.read_lines(path)
    if csv_files.fields(first) != HEADER:
        raise BenchError(f"{path}:1: {_header_problem(first)}; {csv_files.REMEDY}")
    lines: list[Line] = []
    for number, raw in enumerate(raws, start=2):
        row = raw.split(",") if '"' not in raw else csv_files.fields(raw)
        if len(row) != len(HEADER) or row[0] != str(SCHEMA):
            raise BenchError(f"{path}:{number}: {_problem(raw, row)}; {csv_files.REMEDY}")
        try:
            line = _line(row)
        except (ValueError, KeyError) as error:
            raise BenchError(f"{path}:{number}: not a ledger line ({error}); {csv_files.REMEDY}") from None
        if line.status == "ok" and line.value is None:
            raise BenchError(f"{path}:{number}: not a ledger line (status ok without a value); {csv_files.REMEDY}")
        if line.status not in STATUSES:
            known = ", ".join(STATUSES)
            raise BenchError(f"{path}:{number}: status {line.status!r} is unknown; known: {known}; {csv_files.REMEDY}")
        lines.append(line)
    return lines


def _header_problem(first: str) -> str:
    problem = f"the header is not that of schema {SCHEMA} ({', '.join(HEADER[:4])}, …)"
    return csv_files.line_problem(first) or problem


def _problem(raw: str, row: list[str]) -> str:
    """What is wrong with a row that is no ledger line of this schema."""
    if problem := csv_files.line_problem(raw):
        return problem
    if row != HEADER and len(row) > 1 and row[0].isdigit() and row[0] != str(SCHEMA):
        return f"schema {row[0]!r} is unknown here (known: {SCHEMA}); a newer version of the suite wrote it"
    return csv_files.line_problem(raw, HEADER, row) or f"it does not begin with the schema ({SCHEMA})"


def append(lines: Iterable[Line], series: Collection[Path] = ()) -> None:
    """Append under a lock, with fsync; a write that fails half-way (disk full) is taken back and raises
    ``BenchError``.

    Lines replace the finished lines of their experiment that were read off other weights, and the series of these.
    ``series``: files that came with the lines and stay.
    """
    by_task: dict[str, list[Line]] = {}
    for line in lines:
        by_task.setdefault(line.task, []).append(line)
    with results_lock("ledger"):
        for task, group in by_task.items():
            path = folder() / f"{task}.csv"
            known = read_file(path) if path.exists() else []
            if outdated := _outdated([*known, *group], group):
                _replace(path, [*known, *group], outdated, series)
            else:
                _append(path, group)


def _outdated(lines: Iterable[Line], new: Iterable[Line]) -> set[Line]:
    """Those finished ``lines`` that were read off other weights of an experiment than the last of its ``new`` lines."""
    read = (line for line in new if line.status in SETTLED and line.checkpoint_sha256)
    weights = {line.experiment: line.checkpoint_sha256 for line in read}
    return {
        line
        for line in lines
        if line.status == "ok" and weights.get(line.experiment) not in (None, line.checkpoint_sha256)
    }


def _replace(path: Path, lines: Iterable[Line], outdated: set[Line], series: Collection[Path]) -> None:
    """Write ``lines`` into ``path`` without those ``outdated``, then delete series that no line stems from."""
    current = [line for line in lines if line not in outdated]
    _write_lines(path, (line.texts() for line in current))
    finished = {(line.experiment, line.measure) for line in current if line.status == "ok"}
    for task, experiment in {(line.task, line.experiment) for line in outdated}:
        for file in (paths.results() / "series").glob(f"*/{task}/*_{experiment}.csv"):
            if (experiment, file.parent.parent.name) not in finished and file not in series:
                file.unlink()


def _write_lines(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Replace a file of the ledger whole. Raises ``BenchError`` as ``write``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    write(path, out.getvalue())


def append_to(path: Path, lines: list[Line]) -> None:
    """``append`` to a file that nobody else writes to, without replacing lines. Raises ``BenchError`` as ``read_file``:
    nothing is appended to a broken file.
    """
    if path.exists():
        read_file(path)
    _append(path, lines)


def _append(path: Path, lines: list[Line]) -> None:
    """Append to a file that is whole, or begin it."""
    rows = [line.texts() for line in lines]
    if not path.exists():
        return _write_lines(path, rows)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    data = out.getvalue().encode()
    try:
        size = path.stat().st_size
        handle = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            if os.write(handle, data) != len(data):
                raise OSError(28, "No space left on device")
            os.fsync(handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise
        finally:
            os.close(handle)
    except OSError as error:
        raise BenchError(_not_written(path, error)) from None


def _not_written(path: Path, error: OSError) -> str:
    other = "set BENCH_RESULTS" if path.is_relative_to(paths.results()) else "name another place"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write {path} ({error.strerror}): get the right to write there or {other}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"cannot write {path} ({error.strerror}): {other}"
    return f"cannot write {path} ({error.strerror}): free space or {other}; nothing half-written was kept"


def sort() -> None:
    """Sort every file and drop exact repetitions, so that diffs read well."""
    with results_lock("ledger"):
        for path in sorted(folder().glob("*.csv")):
            lines = sorted(read_file(path), key=lambda line: line.key)
            _write_lines(path, dict.fromkeys(tuple(line.texts()) for line in lines))


def write(path: Path, text: str | bytes) -> None:
    """Replace ``path`` by ``text`` whole or not at all; leaves an equal file alone. Raises ``BenchError`` when it
    cannot be written.
    """
    content = text.encode() if isinstance(text, str) else text
    if path.exists() and path.read_bytes() == content:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, content)
    except OSError as error:
        raise BenchError(_not_written(path, error)) from None
