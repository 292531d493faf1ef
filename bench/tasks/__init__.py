"""The recipes, one per task; ``TASKS`` finds them by name."""

from __future__ import annotations

from bench.experiment import Task
from bench.tasks import roles

TASKS = {t.name: t for module in (roles,) for t in vars(module).values() if isinstance(t, Task)}
