"""Processes of this host that share a search. Each ends with the command that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from optuna.trial import FrozenTrial

from sweeps.pool import gpus
from sweeps.search import Search
from sweeps.search_report import progress_text
from sweeps.search_space import Subject


@dataclass(frozen=True)
class Request:
    """A search as its command names it, for any process."""

    task: str
    model: str
    budget: str
    params: tuple[str, ...]
    only_params: bool
    pruner: str
    storage: str | None
    seed: int | None
    seeds: int
    trials: int
    threads: int
    workers: int

    def search(self, number: int = 0) -> Search:
        """The search, for the worker ``number``, whose sampler has a seed of its own. Raises ``BenchError``."""
        subject = Subject.of(self.task, self.model, self.budget, self.params, self.only_params)
        seed = None if self.seed is None else self.seed + number
        return Search(subject, self.pruner, self.storage, seed, self.seeds, self.workers)

    def reporter(self, search: Search) -> Callable[[FrozenTrial], None]:
        """Prints a line for each trial."""
        return lambda trial: click.echo(progress_text(trial, search.study, self.trials, self.workers), err=True)


def run(request: Request, search: Search) -> None:
    """Run ``search`` until it has its trials, in as many processes as are wanted."""
    if request.workers > 1:
        search.prepare()
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=_work, args=(request, number)) for number in range(request.workers)]
        for process in processes:
            process.start()
        _wait(processes)
    search.run(request.trials, request.threads, request.reporter(search))  # what a worker that was killed left


def _wait(processes: list[Any]) -> None:
    """Wait for all ``processes``; Ctrl-C goes on to each."""
    try:
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        for process in processes:
            if process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        for process in processes:
            process.join()
        raise


def _work(request: Request, number: int) -> None:
    os.setpgrp()  # Ctrl-C in a terminal goes to the command, which sends it on
    threading.Thread(target=_end_with_command, daemon=True).start()
    if devices := gpus():
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[number % len(devices)]
    try:
        search = request.search(number)
        search.run(request.trials, request.threads, request.reporter(search), shared=True)
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_command() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
