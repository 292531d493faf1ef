"""Workers as an array of cluster jobs, through submitit: they claim experiments until their time is nearly up.

Slurm's warning before the end comes as SIGUSR1: the experiment at hand is recorded as preempted and queued again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench import paths
from bench.errors import BenchError
from sweeps.addresses import is_default, patience
from sweeps.queue import Queue
from sweeps.scheduler import Launch

WARNING_S = 120  # before the end of a job
GONE = "Invalid job id"  # what Slurm says of jobs that ended some minutes ago


def serve(address: str, study: str, threads: int, seconds: float) -> int:
    """What one job of the array does."""
    from sweeps.worker import work

    return work(Queue(address, study, wait=patience()), threads, until=time.time() + seconds)


def launcher(cluster: str, workers: int, threads: int, hours: float, options: dict[str, Any]) -> Launch:
    """A function that submits up to ``workers`` jobs for a queue and gives one that tells whether any is still there.

    ``cluster``: "slurm", or "local" (processes of this host, for trying it out). ``options``: of the scheduler
    (partition, account, …). Raises ``BenchError`` where submitit is missing or the cluster refuses.
    """
    os.environ["SUBMITIT_PREEMPT_SIGNAL"] = "USR1"  # read when submitit is imported, here and in the jobs
    try:
        import submitit
    except ImportError:
        raise BenchError("clusters need submitit: pip install submitit") from None
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(paths.ROOT), *filter(None, sys.path)]))
    folder = paths.home() / "slurm"
    scheduler_options = {
        (name if name.startswith("slurm_") else f"slurm_{name}"): value for name, value in options.items()
    }

    def launch(queue: Queue, experiments: int) -> Callable[[], bool]:
        if cluster != "local" and is_default(queue.address):
            raise BenchError(
                "jobs on other hosts need a storage they can reach: --storage postgresql://… or journal:///…"
            )
        try:
            executor = submitit.AutoExecutor(folder=folder / "%j", cluster=cluster)
            executor.update_parameters(
                name="sweeps",
                timeout_min=max(1, round(60 * hours)),
                cpus_per_task=threads,
                slurm_signal_delay_s=WARNING_S,
                slurm_array_parallelism=workers,
                **scheduler_options,
            )
            with executor.batch():
                jobs = [
                    executor.submit(serve, queue.address, queue.name, threads, 3600 * hours - WARNING_S)
                    for _ in range(min(workers, experiments))
                ]
        except Exception as error:  # submitit's own, and whatever sbatch says
            raise BenchError(f"the cluster took no jobs: {error}") from None
        print(f"{len(jobs)} jobs {jobs[0].job_id} …, logs in {folder}", file=sys.stderr)
        return lambda: is_working(jobs, cluster)

    return launch


def is_working(jobs: Sequence[Any], cluster: str) -> bool:
    """Whether any of ``jobs``, which are one array, is still there.

    Slurm's queue answers for jobs that left no result. Submitit asks its accounting, which not every cluster has.
    """
    if cluster == "local":
        return any(not job.done() for job in jobs)
    if all(job.paths.result_pickle.exists() for job in jobs):
        return False
    array = jobs[0].job_id.partition("_")[0]
    command = ["squeue", "--noheader", "--jobs", array]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        return GONE not in answer.stderr  # else the controller is away for a moment
    return bool(answer.stdout.strip())
