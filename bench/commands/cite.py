"""``cite``: how to cite the papers. No torch."""

from __future__ import annotations

import click

from bench.errors import unknown
from bench.papers.registry import PAPERS


@click.command()
@click.argument("papers", nargs=-1)
def cite(papers: tuple[str, ...]) -> None:
    """BibTeX entries of PAPERS (all where none is named). CITATION.cff says how to cite the suite itself."""
    for paper in papers:
        if paper not in PAPERS:
            raise unknown("paper", paper, PAPERS)
    click.echo("\n\n".join(PAPERS[paper].bibtex.strip() for paper in papers or PAPERS))
