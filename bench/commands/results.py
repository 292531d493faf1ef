"""``render``, ``compare``, ``merge``, ``claims`` and ``facts``: what the ledger says, alone and beside another."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bench import paths
from bench import plan as planning
from bench.commands.base import as_json, print_json
from bench.commands.selection import results_option
from bench.errors import BenchError, unknown
from bench.ledger import merge as merging
from bench.ledger import store
from bench.ledger.index import Index
from bench.papers.registry import PAPERS, TABLES
from bench.report import render as rendering


@click.command()
@click.argument("tables", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; fail if the files differ from what the ledger gives.")
@results_option
def render(tables: tuple[str, ...], check: bool) -> None:
    """Write results/tables/, results/figures/ and results/README.md from the ledger (all where none is named)."""
    chosen = [planning.find_table(name) for name in tables] or list(TABLES.values())
    if check:
        differing = rendering.differing(chosen, Index(store.read()))
        if differing:
            raise BenchError(
                "not what the ledger gives: " + ", ".join(map(str, differing)) + "; run: python -m bench render"
            )
        return
    store.sort()
    rendering.render(chosen, Index(store.read()))
    click.echo(f"rendered {len(chosen)} tables and figures into {paths.results()}", err=True)


OTHER = click.argument("other", type=click.Path(exists=True, file_okay=False, path_type=Path))


@click.command()
@OTHER
@results_option
@as_json
def compare(other: Path, as_json: bool) -> None:
    """Values of this ledger beside those of another results folder OTHER, for experiments in both."""
    finished = {(line.experiment, line.measure, line.protocol): line for line in store.read() if line.status == "ok"}
    rows: list[dict[str, Any]] = []
    for line in store.read(other):
        own = finished.get((line.experiment, line.measure, line.protocol))
        if own is None or line.status != "ok" or own.value is None or line.value is None:
            continue
        rows.append(
            {
                "name": f"{line.task}/{line.model}/{line.budget}/{line.seed} {line.measure} {line.protocol}",
                "here": own.value,
                "other": line.value,
                "difference": own.value - line.value,
                "weights_equal": own.checkpoint_sha256 == line.checkpoint_sha256,
            }
        )
    if as_json:
        return print_json(rows)
    for row in rows:
        weights = "equal weights" if row["weights_equal"] else "other weights"
        click.echo(f"{row['name']:60} {row['here']:9.3f} {row['other']:9.3f} {row['difference']:+8.3f}  {weights}")
    click.echo(f"{len(rows)} results in both", err=True)


@click.command()
@OTHER
@click.option("--check", is_flag=True, help="Write nothing: only say what is new and what contradicts this ledger.")
@click.option("--replace", is_flag=True, help="Experiments that OTHER has from other weights replace those here.")
@results_option
@as_json
def merge(other: Path, check: bool, replace: bool, as_json: bool) -> None:
    """Take the results of another results folder OTHER into this ledger: lines, environments and series, each once.

    A result that contradicts one that is here (another value, or other weights of the same experiment) is named and
    left out; the exit code is then 1. With --replace an experiment that was trained again there takes the place of the
    one here: all results of its old weights go, those that OTHER did not measure again too.
    """
    found = merging.plan(other, replace)
    if not check:
        merging.write(found, other)
    experiments = len({line.experiment for line in found.lines})
    if as_json:
        print_json(
            {
                "lines": len(found.lines),
                "experiments": experiments,
                "series": len(found.series),
                "known": found.known,
                "replaced": sorted(found.replaced),
                "conflicts": found.conflicts,
            }
        )
    else:
        verb = "would be merged" if check else "merged"
        click.echo(
            f"{verb}: {len(found.lines)} lines of {experiments} experiments and {len(found.series)} series; "
            f"{found.known} lines were known"
        )
        for experiment in sorted(found.replaced):
            click.echo(f"{'would replace' if check else 'replaced'} all results of experiment {experiment}", err=True)
        for conflict in found.conflicts:
            click.echo(f"conflict, left out: {conflict}", err=True)
        if found.lines and not check:
            click.echo("the tables show them after: python -m bench render", err=True)
    if found.conflicts:
        sys.exit(1)


@click.command()
@click.argument("papers", nargs=-1)
@results_option
@as_json
def claims(papers: tuple[str, ...], as_json: bool) -> None:
    """Whether what PAPERS claim holds (all where none is named): on their own numbers, real data,
    subsets, stand-ins.
    """
    from bench.report import claims as claiming
    from bench.report import claims_page

    for paper in papers:
        if paper not in PAPERS:
            raise unknown("paper", paper, PAPERS)
    judged = claiming.judgements(Index(store.read()), papers or tuple(PAPERS))
    if as_json:
        return print_json([_as_dict(j) for judgements in judged.values() for j in judgements])
    for paper, judgements in judged.items():
        click.echo(claims_page.plain(judgements))
        click.echo(f"{paper}, claims of the paper: {claims_page.counts(judgements)}", err=True)
        click.echo(f"{paper}, questions of this suite: {claims_page.counts(judgements, ours=True)}", err=True)


def _as_dict(j: Any) -> dict[str, Any]:
    """A judgement in plain types."""
    about = {name: getattr(j.claim, name) for name in ("id", "section", "sentence", "source", "reading")}
    parts = [asdict(part) for part in j.parts]
    return about | {"data": j.data, "verdict": j.verdict, "parts": parts, "left_out": list(j.left_out)}


@click.command()
@click.option(
    "--check", is_flag=True, help="Write nothing; fail if facts.csv is not what the code and the data here give."
)
@as_json
def facts(check: bool, as_json: bool) -> None:
    """Compute what tables say without training: parameter counts from the built networks, data sets from the files that
    are here.
    """
    from bench.report import census  # loads torch

    if check:
        if differing := census.differing():
            raise BenchError(
                "results/facts.csv is out of date: " + "; ".join(differing) + "; run: python -m bench facts"
            )
        return
    known = census.update()
    if as_json:
        return print_json(
            [{"fact": q.fact, "of": q.of, "subject": q.subject, "value": value} for q, value in sorted(known.items())]
        )
    for question, value in sorted(known.items()):
        click.echo(f"{question.fact:12} {question.of:18} {question.subject:40} {value}")
