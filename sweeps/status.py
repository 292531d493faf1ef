"""The state of a queue, per table: done, running, failed, left; who runs what, and what a worker refused. No torch."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from optuna.trial import TrialState

from bench.plan import clock
from sweeps.queue import Queue
from sweeps.queued_trial import Attributes, QueuedTrial
from sweeps.storage import connect
from sweeps.trials import REFUSED, UNKNOWN_S, WITHDRAWN, WORKER_DIED

KINDS = ("done", "running", "failed", "left")


def status(queue: Queue) -> dict[str, Any]:
    """Plain types: ``tables`` (name -> counts of experiments), ``running``, ``refused``, ``failures``, ``expected_s``
    of what waits, ``weights`` that the experiments left need and this home does not have.
    """
    tables: dict[str, Counter[str]] = {}
    running, refused, failures, weights = [], [], [], []
    told = queue.storage.having(queue.study_id, REFUSED, "weights")
    shown: dict[int, tuple[str, QueuedTrial]] = {}  # trials that have a row of their own
    for trial in _latest(queue):
        kind = _kind(trial)
        for table in trial.attributes.get("tables", "").split() or ["(no table)"]:
            tables.setdefault(table, Counter())[kind] += 1
        if kind in ("running", "failed") or (kind == "left" and trial.trial_id in told):
            shown[trial.trial_id] = kind, trial
    for trial_id, attributes in queue.storage.attributes(list(shown)).items():
        kind, trial = shown[trial_id]
        task, model, seed, budget = (attributes[key] for key in ("task", "model", "seed", "budget"))
        name = f"{task} / {model} / seed {seed} / {budget}"
        if kind == "running":
            running.append({"name": name} | _worker(queue, trial_id, attributes))
        elif kind == "failed":
            failures.append({"name": name, "reason": f"{attributes.get('status')}: {attributes.get('error', '')}"})
        else:
            refused += [
                {"name": name, "host": key.removeprefix(REFUSED), "reason": reason}
                for key, reason in attributes.items()
                if key.startswith(REFUSED)
            ]
            if "weights" in attributes:
                entry = {"name": name, "experiment": attributes["experiment"], "weights": attributes["weights"]}
                weights.append(entry)
    waiting = [seconds for _, seconds in queue.storage.waiting(queue.study_id)]
    return {
        "study": queue.name,
        "tables": {name: {kind: counts[kind] for kind in KINDS} for name, counts in sorted(tables.items())},
        "running": running,
        "failures": failures,
        "refused": refused,
        "weights": weights,
        "expected_s": sum(s for s in waiting if s < UNKNOWN_S),
        "unknown": sum(s >= UNKNOWN_S for s in waiting),
    }


def _latest(queue: Queue) -> list[QueuedTrial]:
    """The last trial of each experiment, leaving out those that ended without a record."""
    latest: dict[str, QueuedTrial] = {}
    for trial in queue.storage.queued(queue.study_id, "experiment", "status", "tables"):
        recorded = trial.attributes.get("status") not in (WITHDRAWN, WORKER_DIED)
        if trial.attributes and (trial.state == TrialState.COMPLETE or recorded):
            latest[trial.attributes["experiment"]] = trial
    return list(latest.values())


def _kind(trial: QueuedTrial) -> str:
    if trial.state == TrialState.COMPLETE:
        return "done"
    if trial.state == TrialState.RUNNING:
        return "running"
    return "failed" if trial.state == TrialState.FAIL and trial.attributes.get("status") != "preempted" else "left"


def _worker(queue: Queue, trial_id: int, attributes: Attributes) -> dict[str, Any]:
    """Who runs the trial with these ``attributes``, where in its training, and for how long."""
    stored = queue.storage.get_trial(trial_id)
    worker = stored.system_attrs.get("worker") or {}
    seconds = (datetime.now() - stored.datetime_start).total_seconds() if stored.datetime_start else 0.0
    place = attributes.get("place", "")
    return {"host": worker.get("host", ""), "pid": worker.get("pid"), "place": place, "seconds": seconds}


def to_text(state: dict[str, Any]) -> str:
    """``state``, as ``status`` gives it, for people."""
    rows = [f"{'table':12}" + "".join(f"{kind:>9}" for kind in KINDS)]
    rows += [f"{name:12}" + "".join(f"{counts[kind]:9}" for kind in KINDS) for name, counts in state["tables"].items()]
    if state["expected_s"] or state["unknown"]:
        more = f", {state['unknown']} of unknown length" if state["unknown"] else ""
        rows.append(f"waiting: about {clock(state['expected_s'])} of work{more}")
    rows += [
        f"running  {r['name']}  {r['place']}  {clock(r['seconds'])}  on {r['host']} ({r['pid']})"
        for r in state["running"]
    ]
    rows += [f"failed   {r['name']}  {r['reason']}" for r in state["failures"]]
    rows += [f"refused  {r['name']}  by {r['host']}: {r['reason']}" for r in state["refused"]]
    rows += [f"needs    {w['name']}  experiments/{w['experiment']}, weights {w['weights']}" for w in state["weights"]]
    return "\n".join(rows)


def is_unfinished(state: dict[str, Any]) -> bool:
    """Whether anything runs or waits."""
    return bool(state["running"]) or any(counts["left"] for counts in state["tables"].values())


def all_states(storage: str | None, study: str | None) -> list[dict[str, Any]]:
    """``status`` of the named study, or of every queue in the storage that holds anything."""
    if study is not None:
        return [status(Queue(storage, study))]
    names = [s.study_name for s in connect(storage).get_all_studies() if "schema" in s.user_attrs]
    states = [status(Queue(storage, name)) for name in names]
    return [state for state in states if state["tables"]]
