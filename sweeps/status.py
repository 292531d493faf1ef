"""What the queue holds, per table: done, running, failed, left; who runs what, and what a worker refused. No torch."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from optuna.trial import TrialState

from bench.plan import clock
from sweeps.journal import Queued
from sweeps.queue import BACK, DIED, UNKNOWN_S, Queue
from sweeps.storage import connect

KINDS = ("done", "running", "failed", "left")


def status(queue: Queue) -> dict[str, Any]:
    """Plain types: ``tables`` (name -> counts of experiments), ``running``, ``refused``, ``failures``, ``expected_s``
    of what waits, ``weights`` that what is left needs and its parent does not have.
    """
    latest: dict[str, Queued] = {}
    for trial in queue.storage.queued(queue.study_id):
        if trial.attributes and (
            trial.state == TrialState.COMPLETE or trial.attributes.get("status") not in (BACK, DIED)
        ):
            latest[trial.attributes["experiment"]] = trial  # by number: the last one counts
    tables: dict[str, Counter[str]] = {}
    running, refused, failures, weights = [], [], [], []
    for one in latest.values():
        shown = one.attributes
        kind = _kind(one.state, shown)
        for table in shown.get("tables", "").split() or ["(no table)"]:
            tables.setdefault(table, Counter())[kind] += 1
        name = f"{shown['task']} / {shown['model']} / seed {shown['seed']} / {shown['budget']}"
        if kind == "running":
            run = queue.storage.get_trial(one.trial_id)
            worker = run.system_attrs.get("worker") or {}
            since = (datetime.now() - run.datetime_start).total_seconds() if run.datetime_start else 0.0
            at = shown.get("place", "")
            running.append(
                {"name": name, "host": worker.get("host", ""), "pid": worker.get("pid"), "place": at, "seconds": since}
            )
        elif kind == "failed":
            failures.append({"name": name, "reason": f"{shown.get('status')}: {shown.get('error', '')}"})
        elif kind == "left":
            refused += [
                {"name": name, "host": key.removeprefix("refused "), "reason": r}
                for key, r in shown.items()
                if key.startswith("refused ")
            ]
            weights += (
                [{"name": name, "experiment": shown["experiment"], "weights": shown["weights"]}]
                if "weights" in shown
                else []
            )
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


def _kind(state: TrialState, shown: dict[str, Any]) -> str:
    if state == TrialState.COMPLETE:
        return "done"
    if state == TrialState.RUNNING:
        return "running"
    return "failed" if state == TrialState.FAIL and shown.get("status") != "preempted" else "left"


def text(found: dict[str, Any]) -> str:
    """``found`` for people."""
    rows = [f"{'table':12}" + "".join(f"{kind:>9}" for kind in KINDS)]
    rows += [f"{name:12}" + "".join(f"{counts[kind]:9}" for kind in KINDS) for name, counts in found["tables"].items()]
    if found["expected_s"] or found["unknown"]:
        more = f", {found['unknown']} of unknown length" if found["unknown"] else ""
        rows.append(f"waiting: about {clock(found['expected_s'])} of work{more}")
    rows += [
        f"running  {r['name']}  {r['place']}  {clock(r['seconds'])}  on {r['host']} ({r['pid']})"
        for r in found["running"]
    ]
    rows += [f"failed   {r['name']}  {r['reason']}" for r in found["failures"]]
    rows += [f"refused  {r['name']}  by {r['host']}: {r['reason']}" for r in found["refused"]]
    rows += [f"needs    {w['name']}  experiments/{w['experiment']}, weights {w['weights']}" for w in found["weights"]]
    return "\n".join(rows)


def every(storage: str | None, study: str | None) -> list[dict[str, Any]]:
    """``status`` of the named study, or of every queue in the storage that holds anything."""
    if study is not None:
        return [status(Queue(storage, study))]
    names = [s.study_name for s in connect(storage).get_all_studies() if "schema" in s.user_attrs]
    found = [status(Queue(storage, name)) for name in names]
    return [one for one in found if one["tables"]]
