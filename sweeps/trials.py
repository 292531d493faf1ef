"""What a trial of the queue holds: the job that a worker reads from it, and what people see of it.

User attributes are for people: the dashboard shows them. System attributes are for the program: ``job`` is what to run,
``worker`` who runs it, ``record`` what came out.
"""

from __future__ import annotations

import json
import os
import socket

from optuna.trial import FrozenTrial, TrialState

from bench import paths
from bench.errors import BenchError
from bench.ledger import correct, histories, series
from bench.ledger.locks import folder_key
from bench.ledger.store import SETTLED, Line
from bench.measures import MEASURES
from bench.papers.registry import TASKS, find_model
from bench.plan import Job
from bench.spec import own
from bench.spec.experiment import Experiment
from datamodules.sources import missing
from sweeps.queued_trial import Attributes, StoredTrial

UNKNOWN_S = 1e9  # expected time of a job that was never run: it goes first, because it may be long
WORKER_DIED = "worker died"
WITHDRAWN = "taken back"  # these two statuses are endings without a ledger line
UNFINISHED = (WORKER_DIED, WITHDRAWN, "preempted")  # statuses after which an experiment can be queued again
DETACHED = "stays"  # user attribute of a trial that no command withdraws
REFUSED = "refused "  # and a host: the user attribute that holds why this host cannot run a trial
FINISHED_STATES = (TrialState.COMPLETE, TrialState.FAIL)
JOB_KEYS = ("job", "expected_s", "limit_s")  # system attributes that a requeued trial takes over, as these:
USER_KEYS = ("experiment", "task", "model", "seed", "budget", "tables", "settings", "weights", "plugins", DETACHED)


def host_home() -> str:
    """This host and home: workers with the same value share locks."""
    return f"{socket.gethostname()}-{folder_key(paths.home())}"


def worker_attributes() -> Attributes:
    """The process that runs a trial."""
    return {"host": host_home(), "pid": os.getpid(), "home": f"{socket.gethostname()}:{paths.home()}"}


def user_attributes(job: Job, homes: dict[str, str]) -> Attributes:
    """What people see of ``job``. ``homes``: HOST:HOME with the weights of an experiment."""
    e = job.experiment
    attributes = {"experiment": e.id, "task": e.task.name, "model": e.model.name, "seed": e.seed, "budget": e.budget}
    attributes["tables"] = " ".join(job.tables)
    if origins := e.origins(job.measures):
        attributes["plugins"] = [list(vars(origin).values()) for origin in origins]
    if e.overrides:
        attributes["settings"] = ", ".join(f"{k}={v}" for k, v in e.overrides)
    if job.weights_elsewhere:
        attributes["weights"] = f"{job.weights_elsewhere} in {homes.get(e.id, 'another home')}"
    return attributes


def system_attributes(job: Job, seconds: float | None, limit_s: float | None) -> Attributes:
    """What a worker reads of ``job``; ``seconds`` is its expected time."""
    description = {"overrides": json.dumps(job.experiment.overrides), "measures": [m.name for m in job.measures]}
    return {"job": description, "expected_s": seconds or UNKNOWN_S, "limit_s": limit_s}


def read_job(trial: FrozenTrial | StoredTrial, check_data: bool = True) -> Job:
    """The job of ``trial``. Raises ``BenchError`` where this checkout or its plug-ins cannot run it.

    With ``check_data`` it also raises where this host does not have the data.
    """
    attributes = trial.user_attrs
    job = trial.system_attrs["job"]
    origins = [own.Origin(*values) for values in attributes.get("plugins", ())]
    own.check_loaded(origins)
    try:
        task = TASKS[attributes["task"]]
        model = find_model(attributes["model"])
        overrides = tuple((key, value) for key, value in json.loads(job["overrides"]))
        experiment = Experiment(task, model, attributes["seed"], attributes["budget"], overrides)
        measures = tuple(MEASURES[name] for name in job["measures"])
    except KeyError as error:
        raise BenchError(f"this checkout has no {error}") from None
    own.check_equal(origins, experiment.origins(measures))
    if experiment.id != attributes["experiment"]:
        raise BenchError(
            f"this checkout would run {experiment.id} ({experiment.versions}), not {attributes['experiment']}:"
            f" another version{f' of {origins[0].file}' if origins else ''}"
        )
    if check_data and missing(experiment.config["data"]):
        raise BenchError(f"data missing here: {experiment.config['data']}")
    return Job(experiment, measures, tuple(attributes["tables"].split()))


def series_files(job: Job, lines: list[Line]) -> list[list[str]]:
    """[path below results, text] of the series that the measures left behind, and of history and correctness."""
    measures = {m.name: m for m in job.measures}
    files = [
        series.path(job.experiment, measures[line.measure], line.protocol) for line in lines if line.status == "ok"
    ]
    if any(line.status in SETTLED for line in lines):
        files += [histories.path(job.experiment), correct.path(job.experiment)]
    return [
        [str(file.relative_to(paths.results())), file.read_text(encoding="utf-8")] for file in files if file.exists()
    ]


def deaths(trial: FrozenTrial) -> int:
    """Number of workers that died over this experiment before this trial."""
    return int(trial.system_attrs.get("deaths", 0))
