"""The queue in one file on a disk that hosts share: Optuna's journal, with signs of life and a repair of what a crash
tore.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.storages.journal._file import get_lock_file
from optuna.trial import TrialState, create_trial

from bench.errors import BenchError

Attributes = dict[str, Any]
Trial = tuple[Attributes, Attributes]  # user and system attributes of one to add


@dataclass(frozen=True)
class Queued:
    """A trial as the queue shows it; ``attributes``: its user attributes, those that were asked for."""

    trial_id: int
    number: int
    state: TrialState
    attributes: Attributes


Choose = Callable[[list[Queued]], list[Trial]]
CHOSEN_BY = ("experiment", "status")


class _Lock(JournalFileSymlinkLock):
    """One that was taken away from a holder which stood still for longer than the grace is no error when that one gives
    it back.
    """

    def release(self) -> None:
        with suppress(RuntimeError):
            super().release()


class File(JournalFileBackend):
    """Waits up to ``patience`` seconds while the disk is away, and never appends to a torn line."""

    def __init__(self, path: Path, grace: int, patience: float) -> None:
        self.path, self.patience = path, patience
        lock = _Lock(str(path), grace_period=max(3, min(15, grace // 4)))
        super().__init__(str(path), lock)
        self.repair()

    def repair(self) -> Path | None:
        """Take out every line that is not whole JSON, after a copy of the file beside it; the copy's path, or
        ``None``.
        """
        with get_lock_file(self._lock):
            return self._repair()

    def _repair(self) -> Path | None:
        rows = self.path.read_bytes().splitlines(keepends=True)
        whole = [row for row in rows if row.endswith(b"\n") and _is_record(row)]
        if len(whole) == len(rows):
            return None
        copy = next(
            c for i in itertools.count(1) if not (c := self.path.with_name(f"{self.path.name}.damaged-{i}")).exists()
        )
        shutil.copy2(self.path, copy)
        with self.path.open("r+b") as file:  # in place: other processes have it open
            file.write(b"".join(whole))
            file.truncate()
            os.fsync(file.fileno())
        print(
            f"journal {self.path}: {len(rows) - len(whole)} torn lines taken out, the file as it was is {copy}",
            file=sys.stderr,
            flush=True,
        )
        return copy

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        def append() -> None:
            with get_lock_file(self._lock):
                if not self._ends_well():
                    self._repair()
                text = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
                with self.path.open(
                    "ab", buffering=0
                ) as file:  # a buffer would be written once more when the file is closed
                    before = file.seek(0, os.SEEK_END)
                    try:
                        if file.write(text) != len(text):
                            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                        os.fsync(file.fileno())
                    except OSError:  # asked again, it would be there twice
                        os.truncate(file.fileno(), before)
                        raise

        self._patiently(append)

    def read_logs(self, log_number_from: int) -> Any:
        return iter(self._patiently(lambda: list(JournalFileBackend.read_logs(self, log_number_from))))

    def _ends_well(self) -> bool:
        with self.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _patiently(self, call: Callable[[], Any]) -> Any:
        until = time.monotonic() + self.patience
        while True:
            try:
                return call()
            except OSError as error:
                if time.monotonic() > until:
                    raise BenchError(
                        f"journal {self.path} has been away for {self.patience:.0f} s: {error.strerror}"
                    ) from None
                time.sleep(1.0)


def _is_record(row: bytes) -> bool:
    try:
        return isinstance(json.loads(row), dict)
    except ValueError:
        return False


class Journal(JournalStorage):
    """A journal that answers what ``storage.Database`` answers.

    A worker counts up ``beat``; silent is whose count this process has seen unchanged for ``grace`` seconds: no clock
    of another host is read. Who has just started must watch for that long first.
    """

    def __init__(self, path: Path, grace: int, patience: float) -> None:
        self.path, self.grace = path, grace
        self.seen: dict[int, tuple[Any, float]] = {}
        self.beats = itertools.count(1)
        try:
            super().__init__(File(path, grace, patience))
        except OSError as error:
            raise BenchError(f"journal {path} cannot be used: {error.strerror}") from None

    def add(self, study_id: int, choose: Choose, still: Callable[[], None]) -> list[Trial]:
        trials = choose(self.queued(study_id))
        for user, system in trials:
            self.create_new_trial(
                study_id, create_trial(state=TrialState.WAITING, user_attrs=user, system_attrs=system)
            )
            still()
        return trials

    def take(self, trial_id: int, worker: Attributes | None) -> bool:
        try:
            self.record_heartbeat(trial_id)  # first: a running trial without any would never be missed
            if not self.set_trial_state_values(trial_id, state=TrialState.RUNNING):
                return False
        except UpdateFinishedTrialError:
            return False
        self.set_trial_system_attr(trial_id, "worker", worker)
        return True

    def waiting(self, study_id: int) -> list[tuple[int, float]]:
        trials = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.WAITING,))
        return [(t._trial_id, float(t.system_attrs.get("expected_s", 0.0))) for t in trials]

    def states(self, study_id: int) -> list[tuple[int, int, TrialState]]:
        return [(t._trial_id, t.number, t.state) for t in self.get_all_trials(study_id, deepcopy=False)]

    def queued(self, study_id: int, *keys: str) -> list[Queued]:
        return [
            Queued(t._trial_id, t.number, t.state, t.user_attrs) for t in self.get_all_trials(study_id, deepcopy=False)
        ]

    def record_heartbeat(self, trial_id: int) -> None:
        self.set_trial_system_attr(trial_id, "beat", f"{os.getpid()}.{next(self.beats)}")

    def silent(self, study_id: int) -> set[int]:
        now = time.monotonic()
        for trial in self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,)):
            beat = trial.system_attrs.get("beat")
            if self.seen.get(trial._trial_id, (None, 0.0))[0] != beat or trial._trial_id not in self.seen:
                self.seen[trial._trial_id] = beat, now
        running = {t._trial_id for t in self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))}
        self.seen = {i: s for i, s in self.seen.items() if i in running}
        return {i for i, (_, since) in self.seen.items() if now - since > self.grace}

    @contextmanager
    def alone(self) -> Iterator[Callable[[], None]]:
        target = self.path.with_name(f"{self.path.name}.alone")
        target.touch()  # the lock's age is that of the file it points to
        with get_lock_file(_Lock(str(target), grace_period=30)):
            yield target.touch

    def skew(self) -> float:
        """Seconds by which this host's clock is ahead of the disk's."""
        probe = self.path.with_name(f"{self.path.name}.clock-{os.getpid()}")
        probe.touch()
        try:
            return time.time() - probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
