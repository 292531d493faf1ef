"""Workers of a real Slurm cluster: an experiment that the cluster preempts goes on, and ends with equal weights."""

from __future__ import annotations

import csv
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweeps.slurm import is_working
from tests.conftest import ROOT
from tests.sweeps import soak
from tests.sweeps.slurm_cluster import Cluster, NoCluster

pytestmark = pytest.mark.slow
LONGER = ["--set", "epochs=5", "--set", "data_settings.batches=40"]  # seconds, so that it can be stopped half-way


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    pytest.importorskip("submitit")
    try:
        started = Cluster()
    except NoCluster as reason:
        pytest.skip(str(reason))
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)
    yield started
    started.remove()


def wait(is_there: Callable[[], object], process: subprocess.Popen[str], seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not is_there():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)


def test_an_experiment_that_slurm_preempts_goes_on_in_a_later_job_and_ends_with_the_weights_of_an_undisturbed_one(
    places: Path, cluster: Cluster
) -> None:
    storage = f"journal:///{places}/queue.journal"
    command = [*soak.command(2, 2, storage), *LONGER, "--slurm", "--slurm-option", "partition=all"]
    home = places / "home"
    with (places / "said").open("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), stdout=said, stderr=said, text=True)
        wait(lambda: next(home.glob("experiments/*/last.ckpt"), None), process)
        checkpoint = next(home.glob("experiments/*/last.ckpt"))
        # the signal that Slurm itself sends two minutes before the time is up
        (array,) = set(cluster.run("squeue", "--noheader", "--format=%F").split())
        cluster.run("scancel", "--signal=USR1", f"{array}_0", f"{array}_1")
        code = process.wait(300)
        said.seek(0)
        text = said.read()
    assert code == 0, text
    assert "sacct" not in text, text  # this cluster has no accounting
    path = home / "exploratory" / "runs" / "xor.csv"
    lines = list(csv.DictReader(path.open(encoding="utf-8")))
    preempted = {line["experiment"]: line["error"] for line in lines if line["status"] == "preempted"}
    assert "SIGUSR1" in preempted[checkpoint.parent.name]
    alone = places / "alone"
    again = [*soak.command(2, 2, None), *LONGER]
    subprocess.run(again, cwd=ROOT, env=soak.home(alone), check=True, capture_output=True, timeout=300)
    assert soak.results(places) == soak.results(alone)
    assert set(soak.results(places).values()) == {1}


def test_jobs_that_were_killed_are_gone_without_accounting(cluster: Cluster, tmp_path: Path) -> None:
    submitted = cluster.run("sbatch", "--parsable", "--array=0-1", f"--output={tmp_path}/out", "--wrap=sleep 60")
    array = submitted.strip()
    files = SimpleNamespace(result_pickle=tmp_path / "result")  # a killed job leaves none
    jobs = [SimpleNamespace(job_id=f"{array}_{i}", paths=files) for i in range(2)]
    assert is_working(jobs, "slurm")
    cluster.run("scancel", "--signal=KILL", "--full", array)
    cluster.run("scancel", array)
    until = time.monotonic() + 30
    while is_working(jobs, "slurm"):
        assert time.monotonic() < until
        time.sleep(0.2)
    assert not is_working([SimpleNamespace(job_id="999_0", paths=files)], "slurm")
