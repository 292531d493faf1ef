"""Where the queue is kept: SQLite (one host, the default), PostgreSQL (many hosts) or a journal file (shared disk)."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError

from bench.errors import BenchError
from sweeps.addresses import FORMS, NETWORK_DISKS, address, file_system, grace, masked, patience
from sweeps.database import UNUSABLE, Database, error_text, report_waiting
from sweeps.journal import Journal

optuna.logging.set_verbosity(optuna.logging.WARNING)

TABLE_RACE = ("already exists", "duplicate key", "UNIQUE constraint")  # another process made the tables just now
FINAL_ERRORS = ("password", "does not exist", *UNUSABLE)  # waiting does not help


def connect(text: str | None = None, wait: float = 0.0) -> Database | Journal:
    """Open the storage at ``text`` (see ``address``); wait up to ``wait`` seconds for one that does not answer.

    Raises ``BenchError`` for an unreachable storage, a wrong password, tables of another Optuna and SQLite on a network
    disk.
    """
    full = address(text)
    scheme, _, rest = full.partition("://")
    if scheme == "postgresql":
        return _open_database(full, f"postgresql+psycopg://{rest}", wait)
    path = Path(rest[1:])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(
            f"cannot write to {path.parent} ({error.strerror}): set BENCH_HOME or name another storage"
        ) from None
    if scheme == "journal":
        return Journal(path, grace(), patience())
    if (kind := file_system(path.parent)) in NETWORK_DISKS:
        raise BenchError(
            f"{path} is on a network disk ({kind}), where SQLite loses locks: use"
            f" journal:///{path.with_suffix('.journal')}"
        )
    with suppress(OSError):  # SQLite itself names what is wrong
        path.touch()  # SQLite's own files never have the rights of the folder's group
    return _open_database(full, f"sqlite:///{path}", wait)


def _open_database(address: str, url: str, wait: float) -> Database:
    deadline = time.monotonic() + wait
    reported = False
    races = 20
    while True:
        try:
            return Database(url)
        except ImportError:
            raise BenchError("PostgreSQL needs psycopg: pip install 'psycopg[binary]'") from None
        except ValueError:  # of SQLAlchemy: a port that is no number
            raise BenchError(f"storage {masked(address)!r} is not an address; known: {FORMS}") from None
        except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError) as error:
            reason = error_text(error)
            if isinstance(error, sqlalchemy.exc.ArgumentError):
                raise BenchError(f"storage {masked(address)!r} is not an address; known: {FORMS}") from None
            if races and any(text in reason for text in TABLE_RACE):
                races -= 1
                time.sleep(0.2)
                continue
            if time.monotonic() > deadline or any(text in reason for text in FINAL_ERRORS):
                raise BenchError(f"storage {masked(address)} cannot be used: {reason}") from None
            if not reported:
                report_waiting(address, reason)
                reported = True
            time.sleep(1.0)
        except RuntimeError as error:  # Optuna's own: tables of another version
            raise BenchError(f"storage {masked(address)}: {error}") from None
