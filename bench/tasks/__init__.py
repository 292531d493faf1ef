"""The recipes, one per task; ``TASKS`` finds them by name."""

from __future__ import annotations

from bench.experiment import Task
from bench.tasks import celif, roles

TASKS = {t.name: t for module in (celif, roles) for t in vars(module).values() if isinstance(t, Task)}


def elsewhere(task: Task) -> list[Task]:
    """The recipe of ``task`` on the stand-ins and subsets of its data."""
    return [t for t in TASKS.values() if t.instead_of == task.name]
