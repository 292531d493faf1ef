"""What a run shows: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from bench.ledger.store import Line
from bench.plan import clock

EPOCHS = {"best_test": "best test epoch", "best_val": "best validation epoch", "last": "last"}  # protocol -> its label


class Progress:
    """A bar over experiments and one within each.

    ``weights``: experiment id -> expected share of the work; ``names``: id -> text. Once ``stopped`` is set, no line
    tells the time that is left.
    """

    def __init__(self, names: Mapping[str, str], weights: Mapping[str, float]) -> None:
        self.names = names
        self.weights = weights
        self.fractions = dict.fromkeys(names, 0.0)  # done of each experiment, 0 to 1
        self.resumed: dict[str, float] = {}  # fractions that came with a checkpoint: this run spent no time on them
        self.started_at = time.monotonic()
        self.ended = 0  # experiments; one that was stopped has not ended
        self.stopped = False
        self.bars = sys.stderr.isatty()
        self.inner: dict[str, tqdm] = {}
        if self.bars:
            form = "{desc} {bar} {postfix}"
            self.outer = tqdm(total=1.0, desc=f"0/{len(names)} experiments", bar_format=form, position=0, leave=True)

    def times(self) -> str:
        """The time so far, and the expected time left of the whole run, from what it has done itself."""
        total = sum(self.weights.values())
        left = sum((1.0 - self.fractions[i]) * w for i, w in self.weights.items()) / total
        done = sum((self.fractions[i] - self.resumed.get(i, 0.0)) * w for i, w in self.weights.items()) / total
        elapsed = time.monotonic() - self.started_at
        so_far = f"{clock(elapsed)} so far"
        if self.stopped or done <= 0.01:
            return so_far
        return f"{so_far}, about {clock(elapsed * left / done)} left of this run"

    def start(self, experiment: str) -> None:
        if experiment not in self.names:
            return
        if self.bars:
            used = {bar.pos for bar in self.inner.values()}
            place = next(p for p in range(1, 99) if -p not in used)
            bar = tqdm(
                total=1.0,
                desc=f"  {self.names[experiment]}",
                bar_format="{desc} {bar} {postfix}",
                position=place,
                leave=False,
            )
            self.inner[experiment] = bar
        else:
            self.write(f"start {self.names[experiment]}")

    def update(
        self, experiment: str, epoch: int, epochs: int, batch: int = 0, batches: int = 1, value: float | None = None
    ) -> None:
        if experiment not in self.names:
            return
        self.fractions[experiment] = min(1.0, (epoch + batch / batches * (value is None)) / epochs)
        self.resumed.setdefault(experiment, epoch / epochs if value is None else max(0, epoch - 1) / epochs)
        text = f"epoch {min(epoch + (value is None), epochs)}/{epochs}" + ("" if value is None else f", {value:.4g}")
        if self.bars:
            bar = self.inner.get(experiment)
            if bar is not None:
                bar.n = self.fractions[experiment]
                bar.set_postfix_str(text)
            self._update_outer()
        elif value is not None:
            self.write(f"{self.names[experiment]}: {text}; {self.times()}")

    def finish(self, experiment: str, lines: Sequence[Line]) -> None:
        """Show how ``experiment`` ended, by its ledger ``lines``. One that was stopped goes on later."""
        if experiment not in self.names:
            return
        if self.bars and (bar := self.inner.pop(experiment, None)):
            bar.close()
        first = lines[0]
        if first.status == "preempted":
            self.write(f"{self.names[experiment]} stopped: {first.error}")
            return
        self.fractions[experiment] = 1.0
        self.ended += 1
        if self.bars:
            self._update_outer()
        count = f"[{self.ended}/{len(self.names)}]"
        text = f"{outcome(lines)} ({clock(shown(lines).wall_s or 0)})"
        self.write(f"{count} {self.names[experiment]}: {text}; {self.times()}")

    def _update_outer(self) -> None:
        self.outer.n = sum(self.fractions[i] * w for i, w in self.weights.items()) / sum(self.weights.values())
        self.outer.set_description_str(f"{self.ended}/{len(self.names)} experiments", refresh=False)
        self.outer.set_postfix_str(self.times())

    def write(self, text: str) -> None:
        """A line of its own, above the bars where there are any."""
        if self.bars:
            tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        for bar in self.inner.values():
            bar.close()
        if self.bars:
            self.outer.close()


def shown(lines: Sequence[Line]) -> Line:
    """A line of the measure to show: one of the training's own, which has an epoch, before what was read later."""
    return next((line for line in lines if line.epoch is not None), lines[0])


def outcome(lines: Sequence[Line]) -> str:
    """The values of a measure, or why there are none: "96.02 % best test epoch, 95.25 % last".

    A measure that was read after the training is named.
    """
    one = shown(lines)
    values = {line.protocol: line.value for line in lines if line.measure == one.measure and line.value is not None}
    if not values:
        return f"{one.status}: {one.error}"
    labelled = [(label, values[protocol]) for protocol, label in EPOCHS.items() if protocol in values]
    text = ", ".join(" ".join(filter(None, (f"{value:.4g}", one.unit, label))) for label, value in labelled)
    return text if one.epoch is not None else f"{one.measure} {text}"
