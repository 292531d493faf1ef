"""``python -m bench data``: what is there, how to get it, whether it is whole, and the packed copies trainings read."""

from __future__ import annotations

import sys

import click

from bench.commands.base import Commands, as_json, print_json
from bench.errors import unknown
from datamodules import cache, contents, sources


@click.group(cls=Commands)
def data() -> None:
    """Data sets: what is there, and how to get it."""


def _known(name: str) -> str:
    if name not in sources.SOURCES:
        raise unknown("data set", name, sources.SOURCES)
    return name


@data.command("status")
@as_json
def data_status(as_json: bool) -> None:
    """Each data set: present, partial or missing, where it belongs, licence, citation, and what reading it found."""
    rows = [sources.status(name) for name in sources.SOURCES]
    for row in rows:
        row["reports"] = [
            {"split": entry.split, **entry.report}
            for entry in cache.entries()
            if entry.source == row["name"] and entry.usable
        ]
    if as_json:
        return print_json(rows)
    for row in rows:
        label = row["state"] if row["kind"] == "full" else f"{row['state']} ({row['kind']})"
        click.echo(f"{row['name']:22} {label:22} {row['folder'] or ''}  ({row['licence']})")
        counts = ", ".join(f"{count:,} {split}" for split, count in row["samples"].items())
        counts += f" ({row['omitted']} are missing)" if row["omitted"] else ""
        size = f", {row['bytes'] / 1e6:,.1f} MB" if row["bytes"] else ""
        click.echo(f"{'':22} {row['title']}{': ' + counts if counts else ''}{size}; {row['citation']}")
        for problem in row["problems"]:
            click.echo(f"{'':22} {problem}")
        if row["nearby"]:
            click.echo(f"{'':22} {row['nearby']}")
        for mirror in row["mirrors"]:
            click.echo(f"{'':22} from {mirror}")
        for report in row["reports"]:
            click.echo(
                f"{'':22} read: "
                + ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in report.items())
            )


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download data set NAME from its mirrors; size and md5 are checked before anything is kept."""
    sources.fetch(_known(name), lambda text: click.echo(text, err=True))


@data.command()
@click.argument("name")
def verify(name: str) -> None:
    """Read every byte of data set NAME and compare with the original's md5. Exit code 1 if anything differs."""
    problems = sources.verify(_known(name)) or contents.problems(name)
    for problem in problems:
        click.echo(problem)
    if problems:
        sys.exit(1)
    title = sources.SOURCES[name].title
    click.echo(f"{title}: every file is the original" if sources.SOURCES[name].files else f"{title}: no files")


@data.command("cache")
@click.option(
    "--prune",
    is_flag=True,
    help="Delete what no recipe can use any more: damaged, half-written, of other data or versions.",
)
@as_json
def data_cache(prune: bool, as_json: bool) -> None:
    """The packed copies that trainings read, with their sizes."""
    removed = cache.prune() if prune else []
    entries = cache.entries()
    if as_json:
        rows = [
            {"file": e.path.name, "source": e.source, "split": e.split, "bytes": e.bytes, "state": e.state}
            for e in entries
        ]
        return print_json({"folder": str(cache.folder()), "entries": rows, "removed": [p.name for p in removed]})
    for entry in entries:
        click.echo(f"{entry.bytes / 1e6:10,.1f} MB  {entry.state:8} {entry.path.name}  {entry.source} {entry.split}")
    for path in removed:
        click.echo(f"removed {path.name}")
    click.echo(f"{sum(e.bytes for e in entries) / 1e6:10,.1f} MB  in {cache.folder()}")
