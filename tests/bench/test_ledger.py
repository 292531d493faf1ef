"""The ledger is whole whatever happens, and says so where it is not."""

from __future__ import annotations

import csv
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from bench.errors import BenchError
from bench.ledger import merge, provenance, store
from bench.ledger.locks import results_lock
from bench.ledger.store import HEADER, Line
from sweeps.queue import Queue
from tests.conftest import ROOT, bench

LINE = Line(
    "0123456789ab",
    "accuracy",
    "xor",
    "lif",
    0,
    "laptop",
    "delayed-xor",
    value=77.5,
    unit="%",
    protocol="last",
    epoch=3,
    git_dirty=False,
)


def test_a_line_comes_back_as_it_was_written(places: Path) -> None:
    odd = replace(LINE, seed=1, status="failed", value=None, error='a "quoted", text\nover two lines', git_dirty=True)
    store.append([LINE, odd])
    assert store.read() == [LINE, replace(odd, error='a "quoted", text over two lines')]


def test_lines_of_a_task_are_in_a_file_of_their_own(places: Path) -> None:
    store.append([LINE, replace(LINE, task="mnist")])
    assert sorted(p.name for p in (places / "results" / "runs").iterdir()) == ["mnist.csv", "xor.csv"]
    assert store.read(only=["mnist", "never-run"]) == [replace(LINE, task="mnist")]


@pytest.mark.parametrize(
    ("damage", "line", "says"),
    [
        (lambda text: text[:-5], 3, "cut off"),
        (lambda text: text + "<<<<<<< HEAD\n", 4, "conflict marker"),
        (lambda text: text.replace("\n1,", "\n7,", 1), 2, "schema '7'"),
        (lambda text: text.replace(",77.5,", ",seventy,", 1), 2, "not a ledger line"),
        (lambda text: text.replace(",77.5,", ",", 1), 2, f"{len(HEADER) - 1} fields"),
        (lambda text: text.replace(",ok,", ",great,", 1), 2, "status 'great'"),
        (lambda text: text.replace("schema,", "scheme,", 1), 1, "header"),
        (lambda text: text.replace(",xor,lif,0,", ",xor,lif,,", 1), 2, "seed is empty"),
        (lambda text: text.replace(",77.5,", ",nan,", 1), 2, "nan is not a finite number"),
        (lambda text: text.replace(",77.5,", ",-inf,", 1), 2, "-inf is not a finite number"),
        (lambda text: text.replace(",77.5,", ",,", 1), 2, "status ok without a value"),
    ],
)
def test_a_broken_line_is_refused_with_its_place_and_the_file_is_kept(
    places: Path, damage, line: int, says: str
) -> None:
    store.append([LINE, replace(LINE, seed=1)])
    path = places / "results" / "runs" / "xor.csv"
    broken = damage(path.read_text())
    path.write_text(broken)
    for action in (store.read, store.sort, lambda: store.append([LINE])):
        with pytest.raises(BenchError, match="mend|take the file back") as error:
            action()
        assert f"xor.csv:{line}:" in str(error.value)
        assert says in str(error.value)
    assert path.read_text() == broken


def test_two_processes_appending_at_once_lose_nothing(places: Path) -> None:
    code = (
        "import sys; from dataclasses import replace; from bench.ledger import store; from bench.ledger.store import"
        " Line\nfor i in range(40): store.append([Line('e', 'accuracy', 'xor', 'lif', i + 100 * int(sys.argv[1]),"
        " 'laptop', 'delayed-xor', value=1.0)])"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=ROOT) for n in (0, 1)]
    assert [p.wait() for p in running] == [0, 0]
    assert sorted(line.seed for line in store.read()) == [*range(40), *range(100, 140)]


def test_a_line_that_is_being_appended_is_read_when_it_is_whole(places: Path) -> None:
    store.append([LINE, replace(LINE, seed=1)])
    path = places / "results" / "runs" / "xor.csv"
    text = path.read_text()
    path.write_text(text[:-5])
    with path.open("a") as file:
        rest = threading.Timer(0.05, lambda: (file.write(text[-5:]), file.flush()))
        rest.start()
        assert store.read() == [LINE, replace(LINE, seed=1)]
        rest.join()


def test_a_write_that_fails_half_way_is_taken_back(places: Path) -> None:
    store.append([LINE])
    path = places / "results" / "runs" / "xor.csv"
    before = path.read_text()
    code = (  # a file may grow by 50 more bytes only: the write is cut off in the middle of a line, as on a full disk
        "import resource, signal; from bench.ledger import store; from bench.ledger.store import"
        " Line\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE,"
        f" ({len(before) + 50},) * 2)\nstore.append([Line('e', 'accuracy', 'xor', 'lif', 1, 'laptop', 'delayed-xor',"
        " value=1.0)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "nothing half-written was kept" in done.stderr
    assert path.read_text() == before


def test_sorting_keeps_every_line_once_and_in_order(places: Path) -> None:
    lines = [replace(LINE, seed=s, model=m) for s in (2, 0, 1) for m in ("lif-no-reset", "lif")]
    store.append([*lines, lines[0]])
    store.sort()
    assert store.read() == sorted(lines, key=lambda line: (line.model, line.seed))


def test_a_replaced_file_is_whole_or_the_old_one(places: Path) -> None:
    path = places / "results" / "x.md"
    store.write(path, "old")
    (places / "results" / "blocked").write_text("a file where a folder should be")
    with pytest.raises(BenchError, match="cannot write"):
        store.write(places / "results" / "blocked" / "x.md", "new")
    assert path.read_text() == "old"
    assert sorted(p.name for p in path.parent.iterdir()) == ["blocked", "x.md"]


def test_every_committed_line_reads_and_is_sorted() -> None:
    for path in sorted((ROOT / "results" / "runs").glob("*.csv")):
        rows = list(csv.reader(path.open(encoding="utf-8")))
        lines = store.read_file(path)
        assert rows[0] == HEADER
        assert [line.texts() for line in lines] == rows[1:], path
        assert lines == sorted(lines, key=lambda line: line.key), path
        assert {line.task for line in lines} <= {path.stem}
        assert all(line.budget in ("laptop", "paper") and line.git_commit for line in lines if line.status == "ok"), (
            path
        )


def _collect() -> None:
    with Queue.planning(Mock()):
        pass


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("ledger", lambda: store.append([LINE])),
        ("environments", lambda: provenance.add(["01234567"])),
        ("planning", _collect),
    ],
    ids=["lines", "environments", "planning"],
)
def test_two_homes_with_one_ledger_write_to_it_one_after_the_other(
    places: Path, monkeypatch: pytest.MonkeyPatch, name: str, write: Callable[[], None]
) -> None:
    done = threading.Event()
    thread = threading.Thread(target=lambda: (write(), done.set()), daemon=True)
    with results_lock(name):
        monkeypatch.setenv("BENCH_HOME", str(places / "elsewhere"))
        thread.start()
        assert not done.wait(1.0), "it did not wait"
    assert done.wait(60)
    thread.join()


def test_a_disk_without_locks_is_one_message(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filelock.FileLock._acquire", Mock(side_effect=OSError(37, "No locks available")))
    with pytest.raises(BenchError, match="No locks available.*set BENCH_RESULTS"):
        store.append([LINE])
    assert store.read() == []


@pytest.mark.parametrize(("folder", "way_out"), [("results", "set BENCH_RESULTS"), ("report", "name another place")])
def test_a_file_that_cannot_be_written_names_what_chooses_its_place(places: Path, folder: str, way_out: str) -> None:
    (places / folder).write_text("a file where a folder is needed")
    with pytest.raises(BenchError, match=f"cannot write .*index.html .Not a directory.: {way_out}"):
        store.write(places / folder / "figures" / "index.html", "")


def other_ledger(places: Path, monkeypatch: pytest.MonkeyPatch, lines: list[Line]) -> Path:
    """A second results folder with ``lines``, a series of each and their environment."""
    folder = places / "other"
    monkeypatch.setenv("BENCH_RESULTS", str(folder))
    store.append(lines)
    provenance.environment("a GPU of the other machine", 1)
    for line in lines:
        store.write(folder / "series" / line.measure / line.task / f"{line.model}_{line.experiment}.csv", "t,v\n1,2\n")
    monkeypatch.setenv("BENCH_RESULTS", str(places / "results"))
    return folder


def test_merging_takes_lines_environments_and_series_of_another_ledger_once(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = provenance.environment("cpu", 1)
    store.append([replace(LINE, environment=key)])
    monkeypatch.setenv("BENCH_RESULTS", str(places / "other"))
    foreign = provenance.environment("a GPU of the other machine", 1)
    monkeypatch.setenv("BENCH_RESULTS", str(places / "results"))
    new = replace(LINE, experiment="ba9876543210", seed=7, environment=foreign)
    again = replace(LINE, environment=foreign, wall_s=1.0)  # the same weights and value, trained there too
    failure = replace(LINE, status="failed", value=None, error="out of memory", seed=9)
    other = other_ledger(places, monkeypatch, [new, again, failure])
    found = merge.plan(other)
    assert (found.lines, found.known, found.conflicts) == ([new, failure], 1, [])
    merge.write(found, other)
    assert set(store.read()) == {replace(LINE, environment=key), new, failure}
    assert {row[0] for row in provenance.rows({key, foreign})} == {key, foreign}
    assert [p.name for p in (places / "results" / "series").rglob("*.csv")] == [f"{new.model}_{new.experiment}.csv"]
    second = merge.plan(other)
    assert (second.lines, second.series, second.known) == ([], {}, 3)


def test_what_contradicts_this_ledger_is_named_and_left_out(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append([LINE])
    value = replace(LINE, value=1.0, checkpoint_sha256="another")
    weights = replace(LINE, measure="silhouette", value=0.5, checkpoint_sha256="another")
    other = other_ledger(places, monkeypatch, [value, weights])
    done = bench("merge", str(other))
    assert done.returncode == 1
    assert "accuracy" in done.stderr and "77.5 here, 1.0 there" in done.stderr
    assert "silhouette" in done.stderr and "other weights" in done.stderr
    assert store.read() == [LINE]


@pytest.mark.parametrize(
    ("started", "content"), [("2027-01-01T00:00:00Z", "t,v\n1,2\n"), ("2020-01-01T00:00:00Z", "own")]
)
def test_of_two_versions_of_a_measure_the_newer_series_stays(
    places: Path, monkeypatch: pytest.MonkeyPatch, started: str, content: str
) -> None:
    here = replace(LINE, started_utc="2026-11-28T00:00:00Z")
    store.append([here])
    own = places / "results" / "series" / LINE.measure / LINE.task / f"{LINE.model}_{LINE.experiment}.csv"
    store.write(own, "own")
    there = replace(LINE, version="accuracy=2", value=78.0, started_utc=started)
    found = merge.plan(other := other_ledger(places, monkeypatch, [there]))
    assert (found.lines, found.conflicts) == ([there], [])
    merge.write(found, other)
    assert own.read_text() == content and set(store.read()) == {here, there}


@pytest.mark.parametrize(("folder", "message"), [("empty", "has no runs/"), ("results", "is this ledger itself")])
def test_a_folder_that_is_no_other_ledger_is_not_merged(places: Path, folder: str, message: str) -> None:
    store.append([LINE])
    (places / "empty").mkdir()
    with pytest.raises(BenchError, match=message):
        merge.plan(places / folder)
