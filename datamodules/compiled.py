"""Functions compiled by numba, kept on disk between processes where a folder for them can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """``numba.njit`` of ``function``, without Python's lock. What a process finds damaged on disk is compiled again."""
    dispatcher: Any = numba.njit(nogil=True)(function)
    try:
        dispatcher.enable_caching()
    except RuntimeError:  # no folder can be written: neither beside the sources nor in a home
        return dispatcher
    mend_on_load(dispatcher._cache._cache_file)
    return dispatcher


def mend_on_load(file: Any) -> None:
    """Empty numba's index of a function on disk where it, or the machine code, cannot be read."""
    load = file.load

    def load_or_mend(key: Any) -> Any:
        try:
            return load(key)
        except Exception:  # whatever a damaged pickle raises
            file.flush()
            return None

    file.load = load_or_mend
