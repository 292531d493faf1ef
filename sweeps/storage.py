"""Where the queue is kept: SQLite (one host, the default), PostgreSQL (many hosts) or a journal file (shared disk).

Optuna's storages do the work; here they learn to wait for a server that is away, to say which trial's worker is silent
without comparing two hosts' clocks, to answer what a claim and a status need in one query, and to mend a torn journal.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from bench import paths
from bench.errors import BenchError
from sweeps.journal import CHOSEN_BY, Attributes, Choose, Journal, Queued, Trial

optuna.logging.set_verbosity(optuna.logging.WARNING)

NETWORK_DISKS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "afs",
    "9p",
}
FORMS = "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE, journal:///FILE"


def grace() -> int:
    """Seconds without a sign of life after which a worker on another host counts as dead (``BENCH_GRACE``); workers
    beat 4 times in it.
    """
    return int(os.environ.get("BENCH_GRACE", 120))


def patience() -> float:
    """Seconds that a storage which has gone away is waited for (``BENCH_PATIENCE``)."""
    return float(os.environ.get("BENCH_PATIENCE", 600))


def address(text: str | None = None) -> str:
    """The storage to use: ``text``, else ``BENCH_STORAGE``, else SQLite under ``BENCH_HOME``. A plain file name is
    SQLite, or a journal where it ends in ``.journal``. Raises ``BenchError`` for anything else.
    """
    text = text or os.environ.get("BENCH_STORAGE") or f"sqlite:///{paths.home() / 'queue.db'}"
    if "://" not in text:
        kind = "journal" if text.endswith(".journal") else "sqlite"
        text = f"{kind}:///{Path(text).expanduser().resolve()}"
    scheme, _, rest = text.partition("://")
    scheme = scheme.removesuffix("+psycopg")
    if scheme not in ("sqlite", "postgresql", "journal") or len(rest) < 2:
        raise BenchError(f"storage {public(text)!r} is not an address; known: {FORMS}")
    return f"{scheme}://{rest}"


def public(where: str) -> str:
    """``where`` without its password."""
    head, at, tail = where.rpartition("@")
    return f"{head[: head.rfind(':')]}:***@{tail}" if at and ":" in head.partition("://")[2] else where


def is_default(where: str) -> bool:
    """Whether ``where`` is this home's own file, which nobody else uses."""
    return where == f"sqlite:///{paths.home() / 'queue.db'}"


def connect(text: str | None = None, wait: float = 0.0) -> Database | Journal:
    """Open the storage at ``text`` (see ``address``), waiting up to ``wait`` seconds for one that does not answer.

    Raises ``BenchError`` for an unreachable storage, a wrong password, tables of another Optuna and SQLite on a network
    disk.
    """
    where = address(text)
    scheme, _, rest = where.partition("://")
    if scheme == "postgresql":
        return _opened(where, f"postgresql+psycopg://{rest}", wait)
    path = Path("/" + rest.lstrip("/"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(
            f"cannot write to {path.parent} ({error.strerror}): set BENCH_HOME or name another storage"
        ) from None
    if scheme == "journal":
        return Journal(path, grace(), patience())
    if (kind := disk(path.parent)) in NETWORK_DISKS:
        raise BenchError(
            f"{path} is on a network disk ({kind}), where SQLite loses locks: use"
            f" journal:///{path.with_suffix('.journal')}"
        )
    return _opened(where, f"sqlite:///{path}", wait)


def disk(folder: Path) -> str:
    """File system type of ``folder`` ("ext4", "nfs4", …), empty where the system does not say."""
    with suppress(OSError):
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        above = [m for m in mounts if folder.is_relative_to(m[1].replace("\\040", " "))]
        return max(above, key=lambda m: len(m[1]))[2] if above else ""
    return ""


def _opened(where: str, url: str, wait: float) -> Database:
    until, told, races = time.monotonic() + wait, False, 20
    while True:
        try:
            return Database(url)
        except ImportError:
            raise BenchError("PostgreSQL needs psycopg: pip install 'psycopg[binary]'") from None
        except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError) as error:
            reason = _reason(error)
            if isinstance(error, sqlalchemy.exc.ArgumentError):
                raise BenchError(f"storage {public(where)!r} is not an address; known: {FORMS}") from None
            if races and any(text in reason for text in ("already exists", "duplicate key", "UNIQUE constraint")):
                races -= 1  # another process made the tables in this moment
                time.sleep(0.2)
                continue
            if time.monotonic() > until or any(
                text in reason for text in ("password", "does not exist", "not a database")
            ):
                raise BenchError(f"storage {public(where)} cannot be used: {reason}") from None
            told = told or _tell(where, reason)
            time.sleep(1.0)
        except RuntimeError as error:  # Optuna's own: tables of another version
            raise BenchError(f"storage {public(where)}: {error}") from None


def _reason(error: BaseException) -> str:
    cause: BaseException = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    text = str(getattr(cause, "orig", None) or cause).strip()
    return " ".join(text.split())[:300]


def _tell(where: str, reason: str) -> bool:
    print(f"waiting for storage {public(where)}: {reason}", file=sys.stderr, flush=True)
    return True


def _away(error: BaseException) -> bool:
    """Whether ``error`` says that the storage is not there right now, rather than that the question was wrong."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, sqlalchemy.exc.DBAPIError) and "sqlite3" in type(cause.orig).__module__:
        return "locked" in str(cause.orig)
    # a connection that breaks in the middle shows in many ways, a wrong question in these
    e = sqlalchemy.exc
    return not isinstance(
        cause, e.ProgrammingError | e.DataError | e.IntegrityError | e.ArgumentError | e.NotSupportedError
    )


def patiently(call: Callable[[], Any], where: str) -> Any:
    """``call()``, again and again while the storage is away, for up to ``patience()`` seconds; then ``BenchError``."""
    until, told, pause = time.monotonic() + patience(), False, 0.1
    while True:
        try:
            return call()
        except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError) as error:
            if not _away(error):
                raise
            if time.monotonic() > until:
                raise BenchError(
                    f"storage {public(where)} has been away for {patience():.0f} s: {_reason(error)}"
                ) from None
            told = told or _tell(where, _reason(error))
            time.sleep(pause)
            pause = min(2.0, pause * 2)


STILL = 60  # seconds after which whoever stands still in a transaction, or cannot be reached, holds no lock any more
_SERVER = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": STILL * 1000,
}


def _connected(connection: Any, _: Any) -> None:
    """The server's side of a new PostgreSQL connection."""
    settings = {
        "idle_in_transaction_session_timeout": f"{STILL}s",
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = '{value}'")
    connection.commit()


class Database(RDBStorage):
    """SQLite or PostgreSQL. What has been asked of a server that is away is asked again until it answers."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        engine: Attributes = {"connect_args": {"timeout": 120}}
        if not self.sqlite:  # add() asks anew after it has waited for its turn
            engine = {"connect_args": _SERVER, "pool_pre_ping": True, "isolation_level": "READ COMMITTED"}
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
            sqlalchemy.event.listen(self.engine, "connect", _connected)
        self.engine.dispose()

    def query(self, text: str, **values: Any) -> list[Any]:
        """Rows of one SQL question."""

        def ask() -> list[Any]:
            with self.engine.begin() as connection:
                return list(connection.execute(sqlalchemy.text(text), values))

        return patiently(ask, self.url)

    def add(self, study_id: int, choose: Choose, still: Callable[[], None]) -> list[Trial]:
        """Add waiting trials with the (user, system) attributes that ``choose`` gives for what is queued (of its
        attributes, those that are ``CHOSEN_BY``), and return them.

        One transaction, in which nobody else adds: who held ``alone()`` when the server went away holds it no longer.
        """

        def ask() -> list[Trial]:  # asked again, it finds what a connection that broke has left
            with self.engine.begin() as connection:
                lock = "" if self.sqlite else " FOR UPDATE"
                connection.execute(
                    sqlalchemy.text(f"SELECT study_id FROM studies WHERE study_id = :s{lock}"), {"s": study_id}
                )
                queued = self._queued(connection, study_id, CHOSEN_BY)
                if trials := choose(queued):
                    self._insert(connection, study_id, len(queued), trials)
                return trials

        return list(patiently(ask, self.url))

    @staticmethod
    def _insert(connection: sqlalchemy.Connection, study_id: int, first: int, trials: list[Trial]) -> None:
        """Trials numbered from ``first`` on."""
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

    def take(self, trial_id: int, worker: Attributes | None) -> bool:
        """Set a waiting trial running for ``worker`` (``None``: to be closed at once); whether this call did it."""
        values = {"t": trial_id, "now": datetime.now(), "w": json.dumps((worker or {}) | {"call": uuid.uuid4().hex})}
        mine = (
            "SELECT count(*) FROM trials t JOIN trial_system_attributes a ON a.trial_id = t.trial_id "
            "WHERE t.trial_id = :t AND t.state = 'RUNNING' AND a.key = 'worker' AND a.value_json = :w"
        )

        def ask() -> bool:
            with self.engine.begin() as connection:
                update = (
                    "UPDATE trials SET state = 'RUNNING', datetime_start = :now WHERE trial_id = :t AND state ="
                    " 'WAITING'"
                )
                if connection.execute(sqlalchemy.text(update), values).rowcount != 1:
                    return bool(
                        connection.execute(sqlalchemy.text(mine), values).scalar_one()
                    )  # the first answer was lost
                for insert in (
                    "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (:t, CURRENT_TIMESTAMP)",
                    "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (:t, 'worker', :w)",
                ):
                    connection.execute(sqlalchemy.text(insert), values)
                return True

        return bool(patiently(ask, self.url))

    def waiting(self, study_id: int) -> list[tuple[int, float]]:
        """(trial id, expected seconds) of every waiting trial."""
        rows = self.query(
            "SELECT t.trial_id, a.value_json FROM trials t JOIN trial_system_attributes a ON a.trial_id = t.trial_id "
            "WHERE t.study_id = :study AND t.state = 'WAITING' AND a.key = 'expected_s'",
            study=study_id,
        )
        return [(trial, float(value)) for trial, value in rows]

    def states(self, study_id: int) -> list[tuple[int, int, TrialState]]:
        """(trial id, number, state) of every trial, by number."""
        rows = self.query(
            "SELECT trial_id, number, state FROM trials WHERE study_id = :study ORDER BY number", study=study_id
        )
        return [(trial, number, TrialState[state]) for trial, number, state in rows]

    def queued(self, study_id: int, *keys: str) -> list[Queued]:
        """Every trial, by number, as it is at one moment; of its attributes those with ``keys``, or all."""

        def ask() -> list[Queued]:
            with self.engine.begin() as connection:
                return self._queued(connection, study_id, keys)

        return list(patiently(ask, self.url))

    @staticmethod
    def _queued(connection: sqlalchemy.Connection, study_id: int, keys: tuple[str, ...]) -> list[Queued]:
        named = f" AND a.key IN ({', '.join(f':k{i}' for i in range(len(keys)))})" if keys else ""
        question = (
            "SELECT t.trial_id, t.number, t.state, a.key, a.value_json FROM trials t LEFT JOIN trial_user_attributes a"
            f" ON a.trial_id = t.trial_id{named} WHERE t.study_id = :study ORDER BY t.number"
        )
        values = {"study": study_id} | {f"k{i}": key for i, key in enumerate(keys)}
        found: dict[int, Queued] = {}
        for trial, number, state, key, value in connection.execute(sqlalchemy.text(question), values):
            if trial not in found:
                found[trial] = Queued(trial, number, TrialState[state], {})
            if key is not None:
                found[trial].attributes[key] = json.loads(value)
        return list(found.values())

    def silent(self, study_id: int) -> set[int]:
        """Ids of running trials whose worker has given no sign of life for ``grace()`` seconds, by the server's
        clock.
        """
        return set(self._get_stale_trial_ids(study_id))

    @contextmanager
    def alone(self) -> Iterator[Callable[[], None]]:
        """Held by one process of all hosts at a time; gives a function to call now and then that says: still at
        work.
        """
        if self.sqlite:
            with open(f"{self.engine.url.database}.lock", "a") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield lambda: None
            return

        def locked() -> sqlalchemy.Connection:  # asked again on a new connection: one that broke never answers
            connection = self.engine.connect()
            try:
                connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(7211)"))
            except BaseException:
                connection.invalidate()
                connection.close()
                raise
            return connection

        connection = patiently(locked, self.url)
        try:
            yield lambda: None
        finally:
            connection.invalidate()  # whatever became of it: the lock goes with the connection
            connection.close()

    def skew(self) -> float:
        """Seconds by which this host's clock is ahead of the server's."""
        if self.sqlite:
            return 0.0
        return time.time() - float(self.query("SELECT extract(epoch FROM clock_timestamp())")[0][0])


def _patient(name: str) -> Callable[..., Any]:
    method = getattr(RDBStorage, name)

    @wraps(method)
    def call(self: Database, *args: Any, **kwargs: Any) -> Any:
        return patiently(partial(method, self, *args, **kwargs), self.url)

    return call


_ASKED_AGAIN = """
    create_new_study get_study_id_from_name get_study_name_from_id get_study_directions get_study_user_attrs get_study_system_attrs
    get_all_studies set_study_user_attr set_study_system_attr set_trial_param set_trial_state_values set_trial_intermediate_value
    set_trial_user_attr set_trial_system_attr get_trial get_trial_id_from_study_id_trial_number get_all_trials get_best_trial
    get_trial_param get_trial_user_attrs get_trial_system_attrs record_heartbeat _get_stale_trial_ids
"""  # create_new_trial is not among them: asked twice it may make two trials
for _name in _ASKED_AGAIN.split():
    setattr(Database, _name, _patient(_name))
