"""The command line: ``python -m bench``. Nothing here loads torch: training is done by worker processes."""

from __future__ import annotations

import sys

import click

from bench.errors import BenchError

try:
    from bench.commands import cite, data, export, report, results, speed, tables, weights
    from bench.commands.base import Commands
except BenchError as error:  # a paper's folder breaks a rule of the registry
    sys.exit(f"Error: {error}")


@click.group(cls=Commands, plugged="bench.commands", context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Regenerates the tables and figures of papers on spiking sequence models, measured beside published."""


for command in (
    tables.list_tables,
    tables.show,
    tables.plan,
    results.render,
    results.compare,
    results.merge,
    results.claims,
    results.facts,
    export.export,
    report.report,
    cite.cite,
    data.data,
    speed.speed,
    weights.weights,
):
    cli.add_command(command)


if __name__ == "__main__":
    cli(prog_name="python -m bench")
