"""A real Slurm cluster for tests: Debian's slurm-wlm and munge on this host alone, removed afterwards."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.sweeps.servers import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel")
START_S = 15
PATH = os.pathsep.join((*os.get_exec_path(), "/usr/sbin"))
# no accounting and no cgroups: neither a database nor the system's own service manager is needed
CONFIGURATION = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class NoCluster(Exception):
    """No cluster runs here, and why."""


class Cluster:
    """One node with the processors of this host. Clients find it with the variables of ``environment``.

    Raises ``NoCluster`` where it is not installed or does not start.
    """

    def __init__(self) -> None:
        if missing := [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]:
            raise NoCluster(f"no {', '.join(missing)} (apt-get install slurm-wlm munge)")
        self.folder = Path(tempfile.mkdtemp(prefix="bench-slurm-"))  # short: a socket's path has 107 characters
        self.folder.chmod(0o755)
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": PATH}
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            self._start()
        except (NoCluster, OSError) as error:
            self.remove()
            raise NoCluster(f"Slurm does not start here: {error}") from None

    def _start(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        text = CONFIGURATION.format(
            folder=self.folder, user=getpass.getuser(), host=socket.gethostname().partition(".")[0],
            controller_port=free_port(), node_port=free_port(), cpus=os.cpu_count(),
        )  # fmt: skip
        Path(self.environment["SLURM_CONF"]).write_text(text)
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._begin("munged", "--foreground", "--force", *(f"--{k}={self.folder}/munge.{v}" for k, v in files.items()))
        self._wait(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._begin("slurmctld", "-D")
        self._begin("slurmd", "-D")
        self._wait(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T"), "slurmctld with slurmd")

    def _begin(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.out").open("wb") as log:
            command = [shutil.which(name, path=PATH) or name, *arguments]
            environment = os.environ | self.environment
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))

    def _wait(self, is_ready, name: str) -> None:  # type: ignore[no-untyped-def]
        until = time.monotonic() + START_S
        while not is_ready():
            if time.monotonic() > until or any(process.poll() is not None for process in self.processes):
                texts = [path.read_text(errors="replace").strip()[-300:] for path in self.folder.glob("*.out")]
                raise NoCluster(f"{name}: {' '.join(' '.join(texts).split()) or 'no answer'}")
            time.sleep(0.1)

    def run(self, *command: str) -> str:
        """The output of a client such as ``squeue``; empty where it fails."""
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | self.environment)
        return done.stdout

    def remove(self) -> None:
        """Cancel all jobs, end the three servers and delete their folder."""
        if len(self.processes) == len(("munged", "slurmctld", "slurmd")):
            self.run("scancel", "--signal=KILL", "--full", "--state=RUNNING")
            self.run("scancel", "--user", getpass.getuser())
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
