"""Trials that a worker can try to claim: what waited when it looked last."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

HEAD = 128  # candidates that are checked by one query
Waiting = Callable[[Sequence[int]], set[int]]  # ids of trials -> those of them that wait now


class Candidates:
    """Trials by id with their expected seconds, the longest first.

    Workers that look at the same moment have the same candidates. If all of them tried these in order, each would try
    what others have taken, one by one. So a worker that has missed a trial leaves out what was taken since, and draws
    among as many of the first as were taken.
    """

    def __init__(self) -> None:
        self.trials: deque[tuple[int, float]] = deque()
        self.until = 0.0  # ``time.monotonic()`` until which no new look is needed
        self.rivals = 0  # number of candidates that others took since the last draw
        self.random = random.Random()  # of its own: trainings seed the common one alike in all workers

    def replace(self, waiting: Iterable[tuple[int, float]]) -> None:
        self.trials = deque(sorted(waiting, key=lambda pair: (-pair[1], pair[0])))

    def missed(self) -> None:
        """Note that another worker was faster."""
        self.rivals = max(1, self.rivals)

    def draw(self, waiting: Waiting) -> tuple[int, float] | None:
        """The next candidate, which is none any more; ``None`` where there is none."""
        if self.rivals:
            self._leave_out_taken(waiting)
        if not self.trials:
            return None
        place = self.random.randrange(min(len(self.trials), self.rivals + 1))
        chosen = self.trials[place]
        del self.trials[place]
        return chosen

    def _leave_out_taken(self, waiting: Waiting) -> None:
        self.rivals = 0
        while self.trials:
            first = list(islice(self.trials, HEAD))
            left = waiting([trial_id for trial_id, _ in first])
            self.rivals += len(first) - len(left)
            for _ in first:
                self.trials.popleft()
            self.trials.extendleft(pair for pair in reversed(first) if pair[0] in left)
            if left:
                return
