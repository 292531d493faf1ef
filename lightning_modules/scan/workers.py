"""Threads that run blocks of the batch: as many as torch uses, each of which runs torch itself on one thread.

Plain Python threads: kernels and matrix products release the interpreter lock, no threading layer has to be chosen, and
a forked or spawned process simply starts its own. In a CUDA build of torch a process forked from one that has used
autograd cannot use it any more, with or without the scan: spawn there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Lock
from typing import Any

import torch

_lock = Lock()
_pools: dict[int, ThreadPoolExecutor] = {}


def _clear_pools() -> None:
    """Drop the pools in a forked child, since threads do not survive a fork."""
    global _lock
    _lock = Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clear_pools)


def run_each(function: Callable[[int], Any], count: int) -> list[Any]:
    """``[function(0), ..., function(count - 1)]``, on torch's number of threads, gradients off."""
    # Even a single block runs in a worker: it may change its processor's rounding, which the caller's must keep.
    threads = torch.get_num_threads()
    with _lock:
        pool = _pools.get(threads) or _pools.setdefault(threads, _start(threads))
    return list(pool.map(partial(_call, function), range(count)))


def _call(function: Callable[[int], Any], index: int) -> Any:
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        return function(index)


def _start(threads: int) -> ThreadPoolExecutor:
    def use_one_thread() -> None:
        torch.get_num_threads()  # the first call in a thread resets the number to the default, so it comes first
        torch.set_num_threads(1)

    pool = ThreadPoolExecutor(threads, thread_name_prefix="scan", initializer=use_one_thread)
    all_started = Barrier(threads)
    list(pool.map(lambda _: all_started.wait(), range(threads)))
    torch.set_num_threads(threads)  # workers changed the default that new threads start from
    return pool
