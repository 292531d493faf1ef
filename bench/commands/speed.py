"""``speed``: the benchmarks."""

from __future__ import annotations

import sys

import click

from bench.ledger import store
from bench.report import render as rendering
from bench.speed.__main__ import main


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def speed(arguments: tuple[str, ...]) -> None:
    """Time whole training steps beside the plain loop and other libraries, reading, and sweeping; `speed --help` for
    its options.
    """
    failed = main(list(arguments))
    if not {"-h", "--help"} & set(arguments):
        rendering.render([], store.read())
    sys.exit(failed)
