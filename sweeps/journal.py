"""The queue in one file on a disk that hosts share: Optuna's journal, with heartbeats, and repaired after a crash."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import TrialState, create_trial

from bench.errors import BenchError
from sweeps.optuna_private import JOURNAL_FIELDS, trial_id
from sweeps.queued_trial import Attributes, NewTrial, QueuedTrial, Selector, StoredTrial


class _Lock(JournalFileSymlinkLock):
    """A lock that others take away from a holder which stands still for longer than ``grace_period``.

    It is no error when that holder releases the lock later.
    """

    def release(self) -> None:
        with suppress(RuntimeError):
            super().release()

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


class JournalFile(JournalFileBackend):
    """Waits up to ``patience`` seconds while the disk is away, and never appends to a torn line."""

    def __init__(self, path: Path, grace: int, patience: float) -> None:
        self.path = path
        self.patience = patience
        self.lock = _Lock(str(path), grace_period=max(3, min(15, grace // 4)))
        super().__init__(str(path), self.lock)
        self.repair()

    def repair(self) -> Path | None:
        """Take out every line that is not complete JSON, after a copy of the file was made; the copy's path, if any."""
        with self.lock.hold():
            return self._repair()

    def _repair(self) -> Path | None:
        rows = self.path.read_bytes().splitlines(keepends=True)
        complete = [row for row in rows if row.endswith(b"\n") and _is_record(row)]
        if len(complete) == len(rows):
            return None
        copy = next(
            c for i in itertools.count(1) if not (c := self.path.with_name(f"{self.path.name}.damaged-{i}")).exists()
        )
        shutil.copy2(self.path, copy)
        with self.path.open("r+b") as file:  # in place: other processes have it open
            file.write(b"".join(complete))
            file.truncate()
            os.fsync(file.fileno())
        print(
            f"journal {self.path}: {len(rows) - len(complete)} torn lines taken out, the file as it was is {copy}",
            file=sys.stderr,
            flush=True,
        )
        return copy

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        def append() -> None:
            with self.lock.hold():
                if not self._ends_with_newline():
                    self._repair()
                text = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
                with self.path.open("ab", buffering=0) as file:  # closing the file would write a buffer once more
                    size = file.seek(0, os.SEEK_END)
                    try:
                        if file.write(text) != len(text):
                            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                        os.fsync(file.fileno())
                    except OSError:  # the next try would write it a second time
                        os.truncate(file.fileno(), size)
                        raise

        self._retry(append)

    def read_logs(self, log_number_from: int) -> Any:
        logs = self._retry(lambda: list(JournalFileBackend.read_logs(self, log_number_from)))
        for number, log in enumerate(logs, start=log_number_from + 1):
            if problem := _record_problem(log):
                raise BenchError(
                    f"journal {self.path}:{number}: {problem}; nothing was changed; delete the line, or name another"
                    " file as storage"
                )
        return iter(logs)

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _retry(self, call: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + self.patience
        reported = False
        while True:
            try:
                return call()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise BenchError(
                        f"journal {self.path} has been away for {self.patience:.0f} s: {error.strerror}"
                    ) from None
                if not reported:
                    print(f"waiting for journal {self.path}: {error.strerror}", file=sys.stderr, flush=True)
                    reported = True
                time.sleep(1.0)


def _is_record(row: bytes) -> bool:
    try:
        return isinstance(json.loads(row), dict)
    except ValueError:
        return False


def _record_problem(log: dict[str, Any]) -> str:
    """What is wrong with a record, empty where nothing is."""
    if "op_code" not in log:
        return "not a record of a journal: it has no operation (op_code)"
    code = log["op_code"]
    fields = JOURNAL_FIELDS.get(code) if isinstance(code, int) else None
    if fields is None:
        return f"operation {code!r} is unknown to this version of Optuna ({optuna.__version__})"
    absent = sorted((fields | {"worker_id"}) - log.keys())
    return f"a record without {', '.join(absent)}" if absent else ""


class Journal(JournalStorage):
    """A journal with the methods of ``database.Database``.

    A worker counts up ``beat``. A trial is silent when this process has seen the same count for ``grace`` seconds: no
    clock of another host is read. A process that has just started must watch for that long first.
    """

    def __init__(self, path: Path, grace: int, patience: float) -> None:
        self.path = path
        self.grace = grace
        self.last_beats: dict[int, tuple[Any, float]] = {}  # trial id -> its count, and when this process saw it first
        self.beats = itertools.count(1)
        try:
            super().__init__(JournalFile(path, grace, patience))
        except OSError as error:
            raise BenchError(f"journal {path} cannot be used: {error.strerror}") from None

    def add(self, study_id: int, select: Selector, keep_alive: Callable[[], None]) -> list[NewTrial]:
        trials = select(self.queued(study_id))
        for user, system in trials:
            self.create_new_trial(
                study_id, create_trial(state=TrialState.WAITING, user_attrs=user, system_attrs=system)
            )
            keep_alive()
        return trials

    def take(self, trial_id: int, worker: Attributes) -> bool:
        try:
            self.record_heartbeat(trial_id)  # first: without any, a running trial would never count as silent
            if not self.set_trial_state_values(trial_id, state=TrialState.RUNNING):
                return False
        except UpdateFinishedTrialError:
            return False
        self.set_trial_system_attr(trial_id, "worker", worker)
        return True

    def waiting(self, study_id: int) -> list[tuple[int, float]]:
        trials = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.WAITING,))
        return [(trial_id(t), float(t.system_attrs.get("expected_s", 0.0))) for t in trials]

    def stored(self, trial_id: int) -> StoredTrial:
        trial = self.get_trial(trial_id)
        return StoredTrial(trial.number, trial.state, trial.user_attrs, trial.system_attrs)

    def still_waiting(self, trial_ids: Sequence[int]) -> set[int]:
        return {i for i in trial_ids if self.get_trial(i).state == TrialState.WAITING}

    def states(self, study_id: int) -> list[tuple[int, int, TrialState]]:
        return [(trial_id(t), t.number, t.state) for t in self.get_all_trials(study_id, deepcopy=False)]

    def queued(self, study_id: int, *keys: str) -> list[QueuedTrial]:
        trials = self.get_all_trials(study_id, deepcopy=False)
        return [QueuedTrial(trial_id(t), t.number, t.state, t.user_attrs) for t in trials]

    def system_values(self, key: str, trial_ids: Sequence[int]) -> dict[int, Any]:
        attributes = {i: self.get_trial(i).system_attrs for i in trial_ids}
        return {i: values[key] for i, values in attributes.items() if key in values}

    def attributes(self, trial_ids: Sequence[int]) -> dict[int, Attributes]:
        return {i: dict(self.get_trial(i).user_attrs) for i in trial_ids}

    def having(self, study_id: int, *keys: str) -> set[int]:
        trials = self.get_all_trials(study_id, deepcopy=False)
        return {trial_id(t) for t in trials if any(name.startswith(keys) for name in t.user_attrs)}

    def withdraw(self, trial_ids: Sequence[int], status: str) -> None:
        for waiting in trial_ids:
            with suppress(UpdateFinishedTrialError):  # another process may have taken and ended it
                if self.set_trial_state_values(waiting, state=TrialState.RUNNING):
                    self.set_trial_user_attr(waiting, "status", status)
                    self.set_trial_state_values(waiting, state=TrialState.FAIL)

    def record_heartbeat(self, trial_id: int) -> None:
        self.set_trial_system_attr(trial_id, "beat", f"{os.getpid()}.{next(self.beats)}")

    def silent(self, study_id: int) -> set[int]:
        now = time.monotonic()
        trials = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
        beats = {trial_id(trial): trial.system_attrs.get("beat") for trial in trials}
        unchanged = {i: entry for i, entry in self.last_beats.items() if i in beats and entry[0] == beats[i]}
        self.last_beats = {i: (beat, now) for i, beat in beats.items()} | unchanged
        return {i for i, (_, since) in self.last_beats.items() if now - since > self.grace}

    @contextmanager
    def exclusive(self) -> Iterator[Callable[[], None]]:
        target = self.path.with_name(f"{self.path.name}.alone")
        target.touch()  # the lock's age is that of the file it points to
        with _Lock(str(target), grace_period=30).hold():
            yield target.touch

    def skew(self) -> float:
        """Seconds by which this host's clock is ahead of the disk's."""
        probe = self.path.with_name(f"{self.path.name}.clock-{os.getpid()}")
        probe.touch()
        try:
            return time.time() - probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
