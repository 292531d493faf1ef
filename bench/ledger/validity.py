"""Whether a ledger line is a current result."""

from __future__ import annotations

from bench.ledger.store import Line
from bench.spec.experiment import Experiment
from bench.spec.measure import Measure


def valid(line: Line, experiment: Experiment, measure: Measure) -> bool:
    """Whether ``line`` is a finished, current result of ``measure`` on ``experiment``, or says that there can be
    none.
    """
    return (
        line.status in ("ok", "not applicable")
        and line.measure == measure.name
        and line.config_hash == experiment.config_hash
        and line.data_hash == experiment.data_hash
        and line.version == experiment.version(measure)
        and line.seed == experiment.seed
    )
