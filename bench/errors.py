"""The one exception that the command line shows as a message instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Something the user can act on: the message names what is wrong and what is allowed."""


def unknown(kind: str, name: str, known: Iterable[str]) -> BenchError:
    """Error for a name that does not exist, with the nearest ones that do."""
    known = list(known)
    by_lower = {k.lower(): k for k in known}
    near = get_close_matches(name.lower(), by_lower, n=2, cutoff=0.7) or get_close_matches(
        name.lower(), by_lower, n=1, cutoff=0.4
    )
    nearest = [by_lower[k] for k in near]
    hint = f"; did you mean {' or '.join(nearest)}?" if nearest else "."
    return BenchError(f"unknown {kind} {name!r}{hint} Known: {', '.join(known)}")
