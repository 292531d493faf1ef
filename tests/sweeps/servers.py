"""A real PostgreSQL server for tests: Debian's package, on a free port, removed afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PASSWORD = "correct-horse"


def binaries() -> Path | None:
    """Folder of ``initdb`` and ``postgres``, where there is one."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((f for f in reversed(folders) if (f / "initdb").exists() and (f / "postgres").exists()), None)


def free_port() -> int:
    """Below those that systems give to clients: none of them gets it while the server that it is for is away."""
    for port in (15000 + secrets.randbelow(15000) for _ in range(100)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


class Postgres:
    """One server with an empty database ``bench``, a user ``bench`` and a password."""

    def __init__(self) -> None:
        folder = binaries()
        assert folder is not None
        self.bin, self.port = folder, free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
        self.user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
        if self.user:
            shutil.chown(self.folder, self.user)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--username=bench", "--no-sync", "--encoding=UTF8"]
        self._run(self.bin / "initdb", "--pgdata", self.folder / "data", *options)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        self._run(self.bin / "createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=bench", "bench")

    @property
    def address(self) -> str:
        return f"postgresql://bench:{PASSWORD}@127.0.0.1:{self.port}/bench"

    def _run(self, *command: str | Path) -> None:
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        subprocess.run(
            [str(c) for c in command], check=True, capture_output=True, user=self.user, env=environment, cwd=self.folder
        )

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        settings = [
            "fsync=off",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            f"port={self.port}",
        ]
        command = [
            str(self.bin / "postgres"),
            "-D",
            str(self.folder / "data"),
            *(part for s in settings for part in ("-c", s)),
        ]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, user=self.user, cwd=self.folder)
        for _ in range(300):
            if (
                subprocess.run([str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode
                == 0
            ):
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def cut(self) -> None:
        """Break one of the clients' connections, as a network does."""
        ask = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <>"
            " pg_backend_pid()"
        )
        with suppress(subprocess.CalledProcessError):  # it may be starting
            self._run(
                self.bin / "psql",
                "--host=127.0.0.1",
                f"--port={self.port}",
                "--username=bench",
                "bench",
                "-c",
                f"{ask} ORDER BY random() LIMIT 1",
            )

    def stop(self) -> None:
        """Gone, connections and all. Clients that keep asking can hold up a polite shutdown for ever: after 3 seconds
        it is not polite.
        """
        assert self.process is not None
        for sent in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self.process.send_signal(sent)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
                return
        self.process.wait()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)
