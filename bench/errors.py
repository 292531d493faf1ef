"""The one exception that the command line shows as a message instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Something the user can act on: the message names what is wrong and what is allowed."""


FEW = 4  # names that are read at a glance: no guess among them
MANY = 24  # names that are too many for one message


def unknown(kind: str, name: str, known: Iterable[str], listing: str = "") -> BenchError:
    """Error for a name that does not exist, with the nearest ones that do.

    Of many names the nearest are shown, and ``listing``, the command that shows all.
    """
    known = list(known)
    by_lower = {k.lower(): k for k in known}
    near = get_close_matches(name.lower(), by_lower, n=2, cutoff=0.7)
    if not near and len(known) > FEW:
        near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.4)
    hint = f"; did you mean {' or '.join(by_lower[k] for k in near)}?" if near else "."
    if len(known) > MANY and listing:
        return BenchError(f"unknown {kind} {name!r}{hint} All {len(known)}: {listing}")
    return BenchError(f"unknown {kind} {name!r}{hint} Known: {', '.join(known)}")
