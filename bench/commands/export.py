"""``export``: a table for a paper of one's own. No torch."""

from __future__ import annotations

from pathlib import Path

import click

from bench import plan as planning
from bench.commands.selection import results_option
from bench.errors import BenchError
from bench.ledger import store
from bench.ledger.index import Index
from bench.report import export as exporting


@click.command()
@click.argument("table")
@click.option("--columns", default="", metavar="A,B", help="Only these columns, in any part of the table.")
@click.option("--rows", default="", metavar="A,B", help="Only these rows.")
@click.option("--format", "ending", type=click.Choice(exporting.FORMATS), default="latex", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write; else standard output.")
@results_option
def export(table: str, columns: str, rows: str, ending: str, out: Path | None) -> None:
    """TABLE as LaTeX, CSV or Markdown, measured beside published: the paper's own rows and columns, or those named.

    LaTeX needs the packages that its first line names.
    """
    named = planning.find_table(table)
    cells = exporting.chosen(named, rows, columns)
    if not cells:
        raise BenchError(f"{named.id} has no cell in these rows and columns")
    text = exporting.export(named, cells, ending, Index(store.read()))
    if out is None:
        return click.echo(text, nl=False)
    store.write(out.expanduser().resolve(), text)
