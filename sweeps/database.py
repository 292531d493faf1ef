"""The queue in SQLite or PostgreSQL: Optuna's storage, with what a queue for many hosts needs.

It waits for a server that is away, tells which trial's worker is silent without comparing two hosts' clocks, and
answers a claim or a status in one query.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial, wraps
from typing import Any

import sqlalchemy
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from bench.errors import BenchError
from sweeps.addresses import grace, masked, patience
from sweeps.optuna_private import STALE_TRIAL_IDS, stale_trial_ids
from sweeps.queued_trial import SELECTOR_KEYS, Attributes, NewTrial, QueuedTrial, Selector, StoredTrial

PART = 500  # values in a query
# SQLite's words for a file that waiting does not mend
UNUSABLE = ("readonly database", "disk is full", "disk I/O error", "malformed", "not a database", "unable to open")


def error_text(error: BaseException) -> str:
    """The database's own message, on one line."""
    cause: BaseException = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    text = str(getattr(cause, "orig", None) or cause).strip()
    return " ".join(text.split())[:300]


def report_waiting(address: str, reason: str) -> None:
    print(f"waiting for storage {masked(address)}: {reason}", file=sys.stderr, flush=True)


def _is_unavailable(error: BaseException) -> bool:
    """Whether ``error`` means that the storage does not answer now, rather than that the query was wrong."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, sqlalchemy.exc.DBAPIError) and "sqlite3" in type(cause.orig).__module__:
        return "locked" in str(cause.orig)
    # a connection that breaks in the middle shows in many ways, a wrong query in these
    e = sqlalchemy.exc
    return not isinstance(
        cause, e.ProgrammingError | e.DataError | e.IntegrityError | e.ArgumentError | e.NotSupportedError
    )


def _is_unusable_file(error: BaseException) -> bool:
    """Whether ``error`` is of a SQLite file that waiting does not mend: read-only, damaged, or on a full disk."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, sqlalchemy.exc.OperationalError | sqlalchemy.exc.DatabaseError):
        return False
    return isinstance(cause.orig, sqlite3.Error) and any(text in str(cause.orig) for text in UNUSABLE)


def retry(call: Callable[[], Any], address: str) -> Any:
    """Call ``call()`` again while the storage is away, for up to ``patience()`` seconds; then raise ``BenchError``."""
    deadline = time.monotonic() + patience()
    reported = False
    pause = 0.1
    while True:
        try:
            return call()
        except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError) as error:
            reason = error_text(error)
            if _is_unusable_file(error):
                raise BenchError(f"storage {masked(address)} cannot be used: {reason}") from None
            if not _is_unavailable(error):
                raise
            if time.monotonic() > deadline:
                raise BenchError(f"storage {masked(address)} has been away for {patience():.0f} s: {reason}") from None
            if not reported:
                report_waiting(address, reason)
                reported = True
            time.sleep(pause)
            pause = min(2.0, pause * 2)


IDLE_S = 60  # a client that stands still in a transaction, or cannot be reached, loses its locks after this time
_KEEPALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": IDLE_S * 1000,
}


def _set_timeouts(connection: Any, _: Any) -> None:
    """Set the timeouts of the server's side of a new PostgreSQL connection."""
    settings = {
        "idle_in_transaction_session_timeout": f"{IDLE_S}s",
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = '{value}'")
    connection.commit()


class Database(RDBStorage):
    """SQLite or PostgreSQL. A query to a server that is away is repeated until the server answers."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        engine: Attributes = {"connect_args": {"timeout": 120}}
        if not self.sqlite:  # add() reads again after it has waited for its turn
            engine = {"connect_args": _KEEPALIVE, "pool_pre_ping": True, "isolation_level": "READ COMMITTED"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(
                url,
                engine_kwargs=engine,
                heartbeat_interval=max(1, grace() // 4),
                grace_period=grace(),
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=2),
            )
        if self.sqlite:  # a claim reads and then writes: nobody may come between
            sqlalchemy.event.listen(
                self.engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None)
            )
            sqlalchemy.event.listen(
                self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
            )
        else:
            sqlalchemy.event.listen(self.engine, "connect", _set_timeouts)
        self.engine.dispose()

    def query(self, text: str | sqlalchemy.TextClause, **values: Any) -> list[Any]:
        """Rows of one SQL query."""
        clause = sqlalchemy.text(text) if isinstance(text, str) else text

        def ask() -> list[Any]:
            if self.sqlite:
                with self.engine.begin() as connection:
                    return list(connection.execute(clause, values))
            with self.engine.connect() as connection:  # without the round trips of a transaction
                return list(connection.execution_options(isolation_level="AUTOCOMMIT").execute(clause, values))

        return retry(ask, self.url)

    def add(self, study_id: int, select: Selector, keep_alive: Callable[[], None]) -> list[NewTrial]:
        """Add the waiting trials that ``select`` gives for the trials in the queue, and return them.

        ``select`` sees the attributes ``SELECTOR_KEYS``. This is one transaction, in which nobody else adds: a process
        in ``exclusive()`` loses its section when the server restarts.
        """

        def ask() -> list[NewTrial]:  # repeated, it finds what a connection that broke has left
            with self.engine.begin() as connection:
                lock = "" if self.sqlite else " FOR UPDATE"
                connection.execute(
                    sqlalchemy.text(f"SELECT study_id FROM studies WHERE study_id = :s{lock}"), {"s": study_id}
                )
                queued = self._queued(connection, study_id, SELECTOR_KEYS)
                if trials := select(queued):
                    self._insert(connection, study_id, len(queued), trials)
                return trials

        return list(retry(ask, self.url))

    @staticmethod
    def _insert(connection: sqlalchemy.Connection, study_id: int, first: int, trials: list[NewTrial]) -> None:
        """Insert ``trials``, numbered from ``first`` on."""
        insert = "INSERT INTO trials (number, study_id, state) VALUES (:n, :s, 'WAITING')"
        connection.execute(sqlalchemy.text(insert), [{"n": first + i, "s": study_id} for i in range(len(trials))])
        new = "SELECT number, trial_id FROM trials WHERE study_id = :s AND number >= :n"
        ids = {
            number - first: trial
            for number, trial in connection.execute(sqlalchemy.text(new), {"s": study_id, "n": first})
        }
        rows: dict[str, list[dict[str, Any]]] = {"user": [], "system": []}
        for i, attributes in enumerate(trials):
            for kind, values in zip(rows, attributes, strict=True):
                rows[kind] += [{"t": ids[i], "k": k, "v": json.dumps(v)} for k, v in values.items()]
        for kind, inserted in rows.items():
            insert = f"INSERT INTO trial_{kind}_attributes (trial_id, key, value_json) VALUES (:t, :k, :v)"
            connection.execute(sqlalchemy.text(insert), inserted)

    def take(self, trial_id: int, worker: Attributes) -> bool:
        """Set a waiting trial running for ``worker``; whether this call did it."""
        values = {"t": trial_id, "now": datetime.now(), "w": json.dumps(worker | {"call": uuid.uuid4().hex})}
        taken_by_this_call = (
            "SELECT count(*) FROM trials t JOIN trial_system_attributes a ON a.trial_id = t.trial_id "
            "WHERE t.trial_id = :t AND t.state = 'RUNNING' AND a.key = 'worker' AND a.value_json = :w"
        )

        def ask() -> bool:
            with self.engine.begin() as connection:
                update = (
                    "UPDATE trials SET state = 'RUNNING', datetime_start = :now WHERE trial_id = :t AND state ="
                    " 'WAITING'"
                )
                if connection.execute(sqlalchemy.text(update), values).rowcount != 1:  # or the first answer was lost
                    return bool(connection.execute(sqlalchemy.text(taken_by_this_call), values).scalar_one())
                for insert in (
                    "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (:t, CURRENT_TIMESTAMP)",
                    "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (:t, 'worker', :w)",
                ):
                    connection.execute(sqlalchemy.text(insert), values)
                return True

        return bool(retry(ask, self.url))

    def waiting(self, study_id: int) -> list[tuple[int, float]]:
        """(trial id, expected seconds) of every waiting trial."""
        rows = self.query(
            "SELECT t.trial_id, a.value_json FROM trials t JOIN trial_system_attributes a ON a.trial_id = t.trial_id "
            "WHERE t.study_id = :study AND t.state = 'WAITING' AND a.key = 'expected_s'",
            study=study_id,
        )
        return [(trial, float(value)) for trial, value in rows]

    def stored(self, trial_id: int) -> StoredTrial:
        """The trial, in one query: Optuna's ``get_trial`` takes eight."""
        attributes_of_both_kinds = " UNION ALL ".join(
            f"SELECT trial_id, '{kind}' AS kind, key, value_json FROM trial_{kind}_attributes WHERE trial_id = :t"
            for kind in ("user", "system")
        )
        rows = self.query(
            "SELECT t.number, t.state, a.kind, a.key, a.value_json FROM trials t"
            f" LEFT JOIN ({attributes_of_both_kinds}) a ON a.trial_id = t.trial_id WHERE t.trial_id = :t",
            t=trial_id,
        )
        attributes: dict[str, Attributes] = {"user": {}, "system": {}}
        for _, _, kind, key, text in rows:
            if kind is not None:
                attributes[kind][key] = json.loads(text)
        return StoredTrial(rows[0][0], TrialState[rows[0][1]], attributes["user"], attributes["system"])

    def still_waiting(self, trial_ids: Sequence[int]) -> set[int]:
        """Ids of those of the trials that wait."""
        question = sqlalchemy.text(
            "SELECT trial_id FROM trials WHERE state = 'WAITING' AND trial_id IN :ids"
        ).bindparams(sqlalchemy.bindparam("ids", expanding=True))
        return {trial for part in _parts(trial_ids) for (trial,) in self.query(question, ids=part)}

    def states(self, study_id: int) -> list[tuple[int, int, TrialState]]:
        """(trial id, number, state) of every trial, by number."""
        rows = self.query(
            "SELECT trial_id, number, state FROM trials WHERE study_id = :study ORDER BY number", study=study_id
        )
        return [(trial, number, TrialState[state]) for trial, number, state in rows]

    def queued(self, study_id: int, *keys: str) -> list[QueuedTrial]:
        """Every trial, by number, at one moment; with the attributes named ``keys``, or all."""

        def ask() -> list[QueuedTrial]:
            with self.engine.begin() as connection:
                return self._queued(connection, study_id, keys)

        return list(retry(ask, self.url))

    @staticmethod
    def _queued(connection: sqlalchemy.Connection, study_id: int, keys: tuple[str, ...]) -> list[QueuedTrial]:
        named = f" AND a.key IN ({', '.join(f':k{i}' for i in range(len(keys)))})" if keys else ""
        question = (
            "SELECT t.trial_id, t.number, t.state, a.key, a.value_json FROM trials t LEFT JOIN trial_user_attributes a"
            f" ON a.trial_id = t.trial_id{named} WHERE t.study_id = :study ORDER BY t.number"
        )
        values = {"study": study_id} | {f"k{i}": key for i, key in enumerate(keys)}
        trials: dict[int, QueuedTrial] = {}
        for trial_id, number, state, key, value in connection.execute(sqlalchemy.text(question), values):
            if trial_id not in trials:
                trials[trial_id] = QueuedTrial(trial_id, number, TrialState[state], {})
            if key is not None:
                trials[trial_id].attributes[key] = _loads(value)
        return list(trials.values())

    def system_values(self, key: str, trial_ids: Sequence[int]) -> dict[int, Any]:
        """The system attribute ``key`` of those trials that have it, by id."""
        question = sqlalchemy.text(
            "SELECT trial_id, value_json FROM trial_system_attributes WHERE key = :key AND trial_id IN :ids"
        ).bindparams(sqlalchemy.bindparam("ids", expanding=True))
        rows = (row for part in _parts(trial_ids) for row in self.query(question, ids=part, key=key))
        return {trial: json.loads(text) for trial, text in rows}

    def attributes(self, trial_ids: Sequence[int]) -> dict[int, Attributes]:
        """All user attributes of the trials, by id."""
        question = sqlalchemy.text(
            "SELECT trial_id, key, value_json FROM trial_user_attributes WHERE trial_id IN :ids"
        ).bindparams(sqlalchemy.bindparam("ids", expanding=True))
        found: dict[int, Attributes] = {i: {} for i in trial_ids}
        for part in _parts(trial_ids):
            for i, key, text in self.query(question, ids=part):
                found[i][key] = json.loads(text)
        return found

    def having(self, study_id: int, *keys: str) -> set[int]:
        """Ids of the trials with a user attribute that begins with one of ``keys``."""
        named = " OR ".join(f"a.key LIKE :k{i}" for i in range(len(keys)))
        rows = self.query(
            "SELECT DISTINCT t.trial_id FROM trials t JOIN trial_user_attributes a ON a.trial_id = t.trial_id"
            f" WHERE t.study_id = :study AND ({named})",
            study=study_id,
            **{f"k{i}": f"{key}%" for i, key in enumerate(keys)},
        )
        return {trial for (trial,) in rows}

    def withdraw(self, trial_ids: Sequence[int], status: str) -> None:
        """Close those of the trials that wait as failed with the user attribute ``status``, in one transaction."""

        def ask() -> None:
            with self.engine.begin() as connection:
                for part in _parts(trial_ids):
                    values = {"ids": part, "now": datetime.now(), "v": json.dumps(status)}
                    for text in (
                        "INSERT INTO trial_user_attributes (trial_id, key, value_json) SELECT trial_id, 'status', :v"
                        " FROM trials WHERE state = 'WAITING' AND trial_id IN :ids",
                        "UPDATE trials SET state = 'FAIL', datetime_start = :now, datetime_complete = :now"
                        " WHERE state = 'WAITING' AND trial_id IN :ids",
                    ):
                        expanding: Any = sqlalchemy.bindparam("ids", expanding=True)
                        connection.execute(sqlalchemy.text(text).bindparams(expanding), values)

        retry(ask, self.url)

    def silent(self, study_id: int) -> set[int]:
        """Ids of running trials without a heartbeat for ``grace()`` seconds, by the server's clock."""
        return stale_trial_ids(self, study_id)

    @contextmanager
    def exclusive(self) -> Iterator[Callable[[], None]]:
        """One process of all hosts at a time is in this section.

        Yields a function that the process calls now and then to show that it is still at work.
        """
        if self.sqlite:
            with FileLock(f"{self.engine.url.database}.lock", poll_interval=0.02, fallback_to_soft=False):
                yield lambda: None
            return

        def lock() -> sqlalchemy.Connection:  # repeated on a new connection: one that broke never answers
            connection = self.engine.connect()
            try:
                connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(7211)"))
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            return connection

        connection = retry(lock, self.url)
        try:
            yield lambda: None
        finally:
            connection.invalidate()  # in whatever state it is: the lock goes with the connection
            connection.close()

    def skew(self) -> float:
        """Seconds by which this host's clock is ahead of the server's."""
        if self.sqlite:
            return 0.0
        return time.time() - float(self.query("SELECT extract(epoch FROM clock_timestamp())")[0][0])


def _loads(text: str) -> Any:
    """``json.loads``, ten times as fast for the plain strings that most attributes are."""
    return text[1:-1] if text[0] == '"' and "\\" not in text else json.loads(text)


def _parts(trial_ids: Sequence[int]) -> Iterator[list[int]]:
    """``trial_ids`` in parts that one query takes."""
    for start in range(0, len(trial_ids), PART):
        yield list(trial_ids[start : start + PART])


def _with_retry(name: str) -> Callable[..., Any]:
    method = getattr(RDBStorage, name)

    @wraps(method)
    def call(self: Database, *args: Any, **kwargs: Any) -> Any:
        return retry(partial(method, self, *args, **kwargs), self.url)

    return call


_RETRIED = f"""
    create_new_study get_study_id_from_name get_study_name_from_id get_study_directions get_study_user_attrs
    get_study_system_attrs get_all_studies set_study_user_attr set_study_system_attr set_trial_param
    set_trial_state_values set_trial_intermediate_value set_trial_user_attr set_trial_system_attr get_trial
    get_trial_id_from_study_id_trial_number get_all_trials get_best_trial get_trial_param get_trial_user_attrs
    get_trial_system_attrs record_heartbeat {STALE_TRIAL_IDS}
"""  # create_new_trial is not among them: repeated, it may make two trials
for _name in _RETRIED.split():
    setattr(Database, _name, _with_retry(_name))
