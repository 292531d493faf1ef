"""What all groups of commands share. No torch."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from bench.errors import BenchError, unknown
from datamodules.sources import DataError


class Commands(click.Group):
    """Unknown commands name the nearest; errors are one message, never a traceback."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise click.ClickException(str(unknown("command", args[0], sorted(self.commands))))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BenchError, DataError) as error:
            raise click.ClickException(str(error)) from None
        except BrokenPipeError:
            os._exit(0)
        except KeyboardInterrupt:
            click.echo("stopped; the same command goes on from each experiment's last epoch", err=True)
            sys.exit(130)


as_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))
