"""Records of finished trials go into the ledger, each once, whoever queued the experiment and wherever it ran."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

from bench import paths
from bench.ledger import provenance, store
from bench.ledger.locks import folder_key
from bench.ledger.store import Line
from sweeps import addresses
from sweeps.study import Study
from sweeps.trials import FINISHED_STATES, WORKER_DIED

ENDED_WELL = ("ok", "not applicable", "preempted")  # statuses of ledger lines that are no failures


@dataclass(frozen=True)
class Record:
    """What came out of a trial: the ledger lines of its experiment and the profile of its training."""

    experiment: str
    lines: tuple[Line, ...]
    profile: dict[str, Any] | None


def collect(study: Study) -> list[Record]:
    """Write into the ledger the records of trials that finished since the last time, and return them.

    Call it within ``study.planning()``. Raises ``BenchError`` where the study belongs to the other kind of ledger.
    """
    study.check_kind()
    known_trials = collected_numbers(study)
    new = [(i, n) for i, n, state in study.storage.states(study.study_id) if state in FINISHED_STATES]
    new = [(i, n) for i, n in new if n not in known_trials]
    if not new:
        return []
    stored = list(_stored_records(study, [trial_id for trial_id, _ in new]).values())
    for row in (row for record in stored for row in record["environments"]):
        provenance.add(row)
    series = {paths.results() / name: text for record in stored for name, text in record["series"] or ()}
    for path, text in series.items():
        store.write(path, text)
    records = [
        Record(r["lines"][0]["experiment"], tuple(Line(**fields) for fields in r["lines"]), r["profile"])
        for r in stored
    ]
    lines = [line for record in records for line in record.lines]
    known_lines = {tuple(line.texts()) for line in store.read(only={line.task for line in lines})}
    store.append((line for line in lines if tuple(line.texts()) not in known_lines), series)
    study.storage.set_study_system_attr(study.study_id, _ledger_key(), _runs(known_trials | {n for _, n in new}))
    return records


def collect_from(address: str | None = None, study: str | None = None) -> int:
    """Collect from a storage what earlier runs and workers of other hosts have finished; the number of experiments."""
    if addresses.is_default(addresses.address(address)) and not (paths.home() / "queue.db").exists():
        return 0
    opened = Study(address, study)
    with opened.planning():
        return len(collect(opened))


def finished_trials(study: Study) -> set[int]:
    """Ids of the trials that have ended."""
    return {i for i, _, state in study.storage.states(study.study_id) if state in FINISHED_STATES}


def new_failures(study: Study, known: set[int]) -> dict[str, str]:
    """Failures in collected trials that are not in ``known``, whoever collected them: experiment -> reason.

    Adds these trials to ``known``. A trial that ended since the last ``collect`` comes with the next call: the ledger
    has the lines of every failure that this function gives.
    """
    collected = collected_numbers(study)
    states = study.storage.states(study.study_id)
    new = {i for i, n, state in states if state in FINISHED_STATES and n in collected} - known
    known |= new
    failures = {}
    for record in _stored_records(study, sorted(new)).values():
        lines = [Line(**fields) for fields in record["lines"]]
        failed = next((line for line in lines if line.status not in ENDED_WELL), None)
        if failed is not None:
            failures[failed.experiment] = f"{failed.status}: {failed.error}"
    return failures


def collected_numbers(study: Study) -> set[int]:
    """Numbers of the trials whose records this ledger has received."""
    runs = study.storage.get_study_system_attrs(study.study_id).get(_ledger_key(), [])
    return {n for first, last in runs for n in range(first, last + 1)}


def _ledger_key() -> str:
    """The study's attribute for what this ledger has received."""
    return f"collected by {socket.gethostname()}-{folder_key(store.folder())}"


def _stored_records(study: Study, trial_ids: list[int]) -> dict[int, Any]:
    """The records of finished trials by id.

    There is none where another process gave the worker up while that worker recorded: the experiment runs again.
    """
    records = study.storage.system_values("record", trial_ids)
    if not records:
        return {}
    queued = {q.trial_id: q for q in study.storage.queued(study.study_id, "status")}
    given_up = {
        i for i in records if queued[i].state == TrialState.FAIL and queued[i].attributes.get("status") == WORKER_DIED
    }
    return {i: record for i, record in records.items() if i not in given_up}


def _runs(numbers: set[int]) -> list[tuple[int, int]]:
    """The numbers as runs [first, last], so that the attribute stays short."""
    runs: list[tuple[int, int]] = []
    for n in sorted(numbers):
        if runs and runs[-1][1] == n - 1:
            runs[-1] = runs[-1][0], n
        else:
            runs.append((n, n))
    return runs
