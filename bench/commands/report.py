"""``report``: the pages of the report. No torch."""

from __future__ import annotations

from pathlib import Path

import click

from bench import paths
from bench.commands.selection import results_option
from bench.ledger import store
from bench.ledger.index import Index


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the report; results/report where none is named."
)
@results_option
def report(out: Path | None) -> None:
    """Write the report: pages with every table, the evidence of each cell, claims, parity, speed, energy and cost."""
    from bench.report import page  # loads Jinja2

    folder = (out or paths.results() / "report").expanduser().resolve()
    sizes = page.write(folder, Index(store.read()))
    pages = sum(name.endswith(".html") for name in sizes)
    click.echo(f"{pages} pages, {sum(sizes.values()) / 1e6:.2f} MB: {folder / 'index.html'}", err=True)
