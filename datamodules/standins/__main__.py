"""python -m datamodules.standins: make the stand-ins and compare them with real recordings."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from datamodules.sources import DataError, data_home
from datamodules.sources.records import NMNIST_STANDIN, SPOKEN_STANDIN


def default_folder(source: str) -> Path:
    """The folder of stand-in ``source`` in BENCH_DATA, never that of the set it stands for."""
    return data_home() / source


def one_line_errors(command: Callable) -> Callable:
    """``command`` with every error in the data shown as one line, and exit code 1."""

    @wraps(command)
    def run(*arguments: Any, **settings: Any) -> Any:
        try:
            return command(*arguments, **settings)
        except (DataError, ValueError) as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            raise click.ClickException("interrupted; the same command goes on where it stopped") from None

    return run


def report(summary: dict[str, Any], out: Path, start_time: float, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**summary, "folder": str(out), "seconds": round(time.time() - start_time, 1)}))
        return
    samples = " + ".join(f"{n:,} {split}" for split, n in summary["samples"].items())
    click.echo(
        f"stand-in, not recorded data: {samples} samples, {summary['events']:,} events, {time.time() - start_time:.0f} "
        f"s, in {out}"
    )


WORKERS = click.option(
    "--workers", default=os.cpu_count() or 1, show_default="all cores", help="Processes; the result is the same."
)
SEED = click.option("--seed", default=0, show_default=True, help="Another seed, other noise and another sensor.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--out", type=click.Path(path_type=Path), help="Default: BENCH_DATA/nmnist-standin.")
@click.option("--limit-train", type=int, help="Only the first so many training images.")
@click.option("--limit-test", type=int)
@SEED
@WORKERS
@JSON
@one_line_errors
def nmnist(
    out: Path | None, limit_train: int | None, limit_test: int | None, seed: int, workers: int, as_json: bool
) -> None:
    """Simulate N-MNIST from MNIST. All 70,000 recordings take some minutes and 1.5 GB."""
    from datamodules.standins.nmnist import generate

    out = out or default_folder(NMNIST_STANDIN.name)
    start_time = time.time()
    count = (limit_train or 60_000) + (limit_test or 10_000)
    click.echo(
        f"{count:,} recordings, about {count * 0.003 / max(1, workers) / 60:.0f} min on free cores, into {out}",
        err=True,
    )
    report(generate(out, seed, {"Train": limit_train, "Test": limit_test}, workers), out, start_time, as_json)


@main.command("spoken-digits")
@click.option("--out", type=click.Path(path_type=Path), help="Default: BENCH_DATA/spoken-digits-standin.")
@click.option("--limit", type=int, help="Only the first so many recordings of each split.")
@SEED
@WORKERS
@JSON
@one_line_errors
def spoken_digits(out: Path | None, limit: int | None, seed: int, workers: int, as_json: bool) -> None:
    """Turn the Free Spoken Digit Dataset into spikes, in SHD's file format."""
    from datamodules.standins.spoken_digits import generate

    out = out or default_folder(SPOKEN_STANDIN.name)
    start_time = time.time()
    report(generate(out, seed, limit, workers), out, start_time, as_json)


@main.command("compare-nmnist")
@click.option("--count", default=1100, show_default=True, help="Recordings at most.")
@SEED
@JSON
@one_line_errors
def compare_nmnist(count: int, seed: int, as_json: bool) -> None:
    """Real and simulated recordings of the same digits side by side. Needs real ones in BENCH_DATA/nmnist."""
    from datamodules.standins.compare import nmnist, show

    show(nmnist(count, seed), as_json)


@main.command("compare-nmnist-7")
@click.option("--count", type=click.IntRange(2), help="Recordings of a digit at most; default: all.")
@SEED
@WORKERS
@JSON
@one_line_errors
def compare_nmnist_7(count: int | None, seed: int, workers: int, as_json: bool) -> None:
    """The 18,200 real recordings of nmnist-7 and simulated ones of the same digits, digit by digit."""
    from datamodules.standins.compare_digits import nmnist_7

    head, *rows = nmnist_7(count, seed, workers)
    if as_json:
        return click.echo(json.dumps([dict(zip(("what", *head[1:]), row, strict=True)) for row in rows]))
    click.echo(f"| {' | '.join(head)} |\n| --- |{' ---: |' * (len(head) - 1)}")
    for row in rows:
        click.echo(f"| {' | '.join(row)} |")


@main.command("compare-spoken-digits")
@SEED
@JSON
@one_line_errors
def compare_spoken_digits(seed: int, as_json: bool) -> None:
    """One published output of the program that made SHD beside the cochlea model's.

    Needs BENCH_DATA/heidelberg_sample.
    """
    from datamodules.standins.compare import show, spoken_digits

    show(spoken_digits(seed), as_json)


if __name__ == "__main__":
    main()
