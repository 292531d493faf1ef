"""A worker process: claims experiments until the queue is empty. ``python -m sweeps.worker THREADS``; started by ``sweeps.table``.

Its standard output carries one JSON message a line to the parent; everything else goes to its log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
import warnings
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bench import ledger, paths, provenance
from bench.errors import BenchError
from bench.ledger import Line
from bench.plan import Job, valid
from sweeps.queue import Claim, Queue, experiment_lock


def main(threads: int) -> int:
    messages = os.fdopen(os.dup(1), "w", buffering=1)
    log = paths.home() / "logs" / f"worker-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)

    def say(**message: Any) -> None:
        try:
            messages.write(json.dumps(message) + "\n")
        except OSError:  # the parent is gone: stop, so that nobody computes unseen
            os._exit(1)

    warnings.filterwarnings("ignore", module="pytorch_lightning")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    provenance.git()  # the commit of the code that is loaded now
    queue = Queue()
    try:
        while (claim := queue.claim()) is not None:
            _work(queue, claim, threads, say)
    except BenchError as error:
        say(fatal=str(error))
        return 1
    except (KeyboardInterrupt, SystemExit):
        return 143
    except BaseException:
        traceback.print_exc()
        say(fatal=f"a worker stopped unexpectedly; see {log}")
        return 1
    log.unlink(missing_ok=True)
    return 0


def _work(queue: Queue, claim: Claim, threads: int, say: Any) -> None:
    job, experiment = claim.job, claim.job.experiment
    with experiment_lock(experiment.id) as free:
        if not free:  # somebody else runs it: theirs counts
            queue.finish(claim.trial, None)
            return
        lines, seconds = _recorded(job), None
        if not lines:
            say(start=experiment.id)
            from bench import run  # torch is loaded only where something is trained

            lines, profile = run.run(experiment, job.measures, threads, lambda p: say(progress=experiment.id, **p))
            seconds = vars(profile) | {"outside": profile.outside}
            lines = [replace(line, optuna_study=queue.name, optuna_trial=claim.trial) for line in lines]
            _park(job, lines)
            ledger.append(lines)
            _pending(job).unlink(missing_ok=True)
        first = lines[0]
        queue.finish(claim.trial, first.value if first.status == "ok" else None)
    say(
        done=experiment.id, status=first.status, error=first.error, value=first.value, unit=first.unit, wall_s=first.wall_s, profile=seconds
    )


def _recorded(job: Job) -> list[Line]:
    """What is already known of ``job``: in the ledger, or parked by a run that could not write to it (then it is written now)."""

    def current(lines: list[Line]) -> list[Line]:
        found = [[line for line in lines if line.experiment == job.experiment.id and valid(line, job.experiment, m)] for m in job.measures]
        return [line for group in found for line in group] if all(found) else []

    known = current(ledger.read([job.experiment.task.name]))
    if known:
        return known
    with suppress(OSError, ValueError, TypeError):
        parked = current([Line(**fields) for fields in json.loads(_pending(job).read_text())])
        if parked:
            ledger.append(parked)
            _pending(job).unlink()
        return parked
    return []


def _pending(job: Job) -> Any:
    return paths.home() / "experiments" / job.experiment.id / "pending.json"


def _park(job: Job, lines: list[Line]) -> None:
    with suppress(OSError):
        path = _pending(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        ledger.write(path, json.dumps([vars(line) for line in lines]))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
