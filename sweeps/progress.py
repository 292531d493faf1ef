"""What a run shows: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from tqdm import tqdm

from bench.plan import clock


class Progress:
    """A bar over experiments and one within each. ``weights``: experiment id -> expected share of the work; ``names``:
    id -> text.
    """

    def __init__(self, names: Mapping[str, str], weights: Mapping[str, float]) -> None:
        self.names, self.weights = names, weights
        self.part = dict.fromkeys(names, 0.0)
        self.found: dict[str, float] = {}  # share that a checkpoint brought: no work of this run's time
        self.begun = time.monotonic()
        self.done = 0
        self.bars = sys.stderr.isatty()
        self.inner: dict[str, tqdm] = {}
        if self.bars:
            form = "{desc} {bar} {postfix}"
            self.outer = tqdm(total=1.0, desc=f"0/{len(names)} experiments", bar_format=form, position=0, leave=True)

    def left(self) -> str:
        """Expected time left of the whole run, from what it has done itself."""
        total = sum(self.weights.values())
        left = sum((1.0 - self.part[i]) * w for i, w in self.weights.items()) / total
        done = sum((self.part[i] - self.found.get(i, 0.0)) * w for i, w in self.weights.items()) / total
        elapsed = time.monotonic() - self.begun
        return f"{clock(elapsed)} so far" + (
            f", about {clock(elapsed * left / done)} left of this run" if done > 0.01 else ""
        )

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
            self.note(f"start {self.names[experiment]}")

    def update(
        self, experiment: str, epoch: int, epochs: int, batch: int = 0, batches: int = 1, value: float | None = None
    ) -> None:
        if experiment not in self.names:
            return
        self.part[experiment] = min(1.0, (epoch + batch / batches * (value is None)) / epochs)
        self.found.setdefault(experiment, epoch / epochs if value is None else max(0, epoch - 1) / epochs)
        text = f"epoch {min(epoch + (value is None), epochs)}/{epochs}" + ("" if value is None else f", {value:.4g}")
        if self.bars:
            bar = self.inner.get(experiment)
            if bar is not None:
                bar.n = self.part[experiment]
                bar.set_postfix_str(text)
            self._outer()
        elif value is not None:
            self.note(f"{self.names[experiment]}: {text}; {self.left()}")

    def finish(
        self, experiment: str, status: str, error: str, value: float | None, unit: str, wall_s: float | None
    ) -> None:
        if experiment not in self.names:
            return
        self.part[experiment] = 1.0
        self.done += 1
        text = f"{value:.4g} {unit}".rstrip() if value is not None else f"{status}: {error}"
        if self.bars:
            if bar := self.inner.pop(experiment, None):
                bar.close()
            self._outer()
        self.note(
            f"[{self.done}/{len(self.names)}] {self.names[experiment]}: {text} ({clock(wall_s or 0)}); {self.left()}"
        )

    def _outer(self) -> None:
        self.outer.n = sum(self.part[i] * w for i, w in self.weights.items()) / sum(self.weights.values())
        self.outer.set_description_str(f"{self.done}/{len(self.names)} experiments", refresh=False)
        self.outer.set_postfix_str(self.left())

    def note(self, text: str) -> None:
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
