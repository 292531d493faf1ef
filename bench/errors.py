"""The one exception that the command line shows as a message instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Something the user can act on: the message names what is wrong and what is allowed."""


def unknown(kind: str, name: str, known: Iterable[str]) -> BenchError:
    """Error for a name that does not exist, with the nearest ones that do."""
    known = list(known)
    near = get_close_matches(name.lower(), [k.lower() for k in known], n=3, cutoff=0.4)
    nearest = [k for k in known if k.lower() in near]
    hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
    return BenchError(f"unknown {kind} {name!r}{hint} Known: {', '.join(known)}")
