"""The command line: ``python -m bench``. Nothing here loads torch: training is done by worker processes."""

from __future__ import annotations

import click

from bench.commands.base import Commands

COMMANDS = {
    "list": "tables:list_tables",
    "show": "tables:show",
    "plan": "tables:plan",
    "render": "results:render",
    "compare": "results:compare",
    "merge": "results:merge",
    "claims": "results:claims",
    "facts": "results:facts",
    "export": "export:export",
    "report": "report:report",
    "cite": "cite:cite",
    "data": "data:data",
    "speed": "speed:speed",
    "gpu": "gpu:gpu",
    "weights": "weights:weights",
}


@click.group(
    cls=Commands,
    places={name: f"bench.commands.{place}" for name, place in COMMANDS.items()},
    plugged="bench.commands",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def cli() -> None:
    """Regenerates the tables and figures of papers on spiking sequence models, measured beside published."""


if __name__ == "__main__":
    cli(prog_name="python -m bench")
