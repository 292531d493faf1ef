"""A results file that another program has changed is refused with file, line and remedy, never read as less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import correct, histories, provenance, series, store
from bench.ledger.store import HEADER, Line
from bench.measures import ACCURACY
from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import XOR
from bench.report import facts
from bench.spec.experiment import Experiment
from bench.speed import timings
from tests.conftest import bench

E = Experiment(XOR, LIF, 0, "laptop")
LINE = Line(E.id, "accuracy", "xor", "lif", 0, "laptop", "delayed-xor", value=77.5)


def _ledger() -> Path:
    store.append([LINE, LINE])
    return store.folder() / "xor.csv"


def _environments() -> Path:
    provenance.environment("cpu", 1)
    provenance.environment("cpu", 2)
    return provenance._path()


def _series() -> Path:
    series.write_series(E, ACCURACY, "last", {"x": [1.0, 2.0], "y": [3.0, 4.0]})
    return series.path(E, ACCURACY, "last")


def _history() -> Path:
    histories.write(E, [{"test/loss": 1.0}, {"test/loss": 0.5}], 10)
    return histories.path(E)


def _correct() -> Path:
    correct.write(E, {"last": [True, False], "best_test": [True, True]})
    return correct.path(E)


def _facts() -> Path:
    facts.save({facts.data_question("samples", name): "1" for name in ("mnist", "shd")})
    return facts.path()


def _speed() -> Path:
    timings.write([{"workload": "lif-seq", "implementation": name, "median_ms": 1.5} for name in ("ours", "loop")])
    return facts.path().with_name("speed.csv")


FILES: dict[str, tuple[Callable[[], Path], Callable[[], object]]] = {
    "ledger": (_ledger, store.read),
    "environments": (_environments, lambda: provenance.rows([])),
    "series": (_series, lambda: series.read(E, ACCURACY, "last")),
    "history": (_history, lambda: histories.read(E)),
    "correct": (_correct, lambda: correct.read(E)),
    "facts": (_facts, facts.read),
    "speed": (_speed, timings.read),
}


def inserted(number: int, new: bytes) -> Callable[[bytes], bytes]:
    """Put ``new`` before line ``number``."""

    def damage(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join([*lines[: number - 1], new, *lines[number - 1 :]])

    return damage


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "empty file": (lambda content: b"", 1, "the file is empty"),
    "cut off": (lambda content: content[:-3], 3, "the last line is cut off"),
    "semicolons": (lambda content: content.replace(b",", b";"), 1, "semicolons"),
    "byte-order mark": (lambda content: b"\xef\xbb\xbf" + content, 1, "byte-order mark"),
    "UTF-16": (lambda content: content.decode().encode("utf-16"), 1, "not UTF-8"),
    "latin-1": (lambda content: content[:-1] + "é".encode("latin-1") + b"\n", 3, "not UTF-8"),
    "zeros": (lambda content: content[:-2] + b"\0" * 4 + b"\n", 3, "zero bytes"),
    "markers at the start": (inserted(1, b"<<<<<<< HEAD\n"), 1, "merge conflict marker"),
    "markers": (inserted(3, b"=======\n"), 3, "merge conflict marker"),
    "empty line": (inserted(2, b"\n"), 2, "an empty line"),
    "empty line at the end": (lambda content: content + b"\n", 4, "an empty line"),
    "header twice": (lambda content: content + content.splitlines(keepends=True)[0], 4, "the header once more"),
    "a field too few": (lambda content: content + b"1\n", 4, "fields where"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", DAMAGES)
def test_a_changed_file_is_one_message_with_file_line_and_remedy(places: Path, kind: str, name: str) -> None:
    make, read = FILES[kind]
    damage, line, problem = DAMAGES[name]
    path = make()
    path.write_bytes(damage(path.read_bytes()))
    content = path.read_bytes()
    with pytest.raises(BenchError, match="from git") as error:
        read()
    assert f"{path.name}:{line}: " in str(error.value) and problem in str(error.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", FILES)
def test_line_ends_of_windows_are_read_as_the_same_file(places: Path, kind: str) -> None:
    make, read = FILES[kind]
    path = make()
    before = str(read())
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert str(read()) == before


@pytest.mark.parametrize(
    ("kind", "damage", "problem"),
    [
        ("series", lambda text: text.replace("x,y\n", ""), ":1: the header does not have a name for each column"),
        ("series", lambda text: text.replace("2,4", "2,high"), ":3: y is 'high', not a number"),
        ("series", lambda text: text.replace("2,4", "2,"), ":3: y is '', not a number"),
        ("speed", lambda text: text.replace(",ours,1.5", ",ours,fast"), ":2: median_ms is 'fast', not a number"),
        ("speed", lambda text: text.replace("workload,", "work,"), ":1: the header is not that of times"),
        ("ledger", lambda text: text.replace("\n1,", "\n2,", 1), ":2: schema '2' is unknown here"),
        ("ledger", lambda text: text.replace("\n1,", "\none,", 1), ":2: it does not begin with the schema"),
    ],
)
def test_a_changed_value_is_named_with_its_line(places: Path, kind: str, damage, problem: str) -> None:
    make, read = FILES[kind]
    path = make()
    path.write_text(damage(path.read_text()))
    with pytest.raises(BenchError) as error:
        read()
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("ledger", lambda: store.append([LINE])),
        ("environments", lambda: provenance.add(["01234567", "cpu"])),
        ("speed", lambda: timings.write([{"workload": "lif-seq", "implementation": "ours", "median_ms": 1.5}])),
    ],
)
def test_a_damaged_file_is_never_written_to(places: Path, kind: str, write: Callable[[], object]) -> None:
    path = FILES[kind][0]()
    path.write_text(path.read_text() + "<<<<<<< HEAD\n")
    before = path.read_bytes()
    with pytest.raises(BenchError, match="merge conflict marker"):
        write()
    assert path.read_bytes() == before


def test_a_new_ledger_file_is_there_with_its_header_and_line_or_not_at_all(places: Path) -> None:
    path = store.folder() / "xor.csv"
    path.parent.mkdir(parents=True)
    path.write_text("")
    with pytest.raises(BenchError, match="the file is empty"):
        store.append([LINE])
    path.unlink()
    store.append([LINE])
    assert path.read_text().splitlines()[0] == ",".join(HEADER) and store.read() == [LINE]


def test_a_run_with_damaged_environments_stops_before_it_trains(places: Path) -> None:
    path = _environments()
    path.write_text(path.read_text() + "\n")
    done = bench("run", "roles-6", "--row", "Baseline", "--column", "XOR", "--budget", "laptop")
    assert done.returncode == 1 and "environments.csv:4: an empty line" in done.stderr
    assert "worker" not in done.stderr and "Traceback" not in done.stderr
