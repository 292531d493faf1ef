"""What all groups of commands share. No torch."""

from __future__ import annotations

import io
import json
import os
import sys
from functools import cached_property
from importlib.metadata import EntryPoint
from typing import Any

import click

from bench.errors import BenchError, unknown
from bench.spec import plugins
from datamodules.sources import DataError


class Commands(click.Group):
    """A group whose unknown commands name the nearest, and whose errors are one message, never a traceback.

    Other packages add commands to it through entry points of the group ``plugged``: ``run`` belongs to ``sweeps``,
    which knows ``bench``, while ``bench`` does not know ``sweeps``.
    """

    def __init__(self, *args: Any, plugged: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plugged = plugged
        self.params.append(plugin_option)

    @cached_property
    def entry_points(self) -> dict[str, EntryPoint]:
        """Commands of other packages by name, not loaded yet."""
        return {entry.name: entry for entry in plugins.installed(self.plugged)} if self.plugged else {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *self.entry_points})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in self.entry_points:
            command = self.entry_points[cmd_name].load()
        if command is not None and plugin_option not in command.params:
            command.params.append(plugin_option)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.commands and args[0] not in self.entry_points:
            raise click.ClickException(str(unknown("command", args[0], self.list_commands(ctx))))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that lacks a character gets "?" instead
        try:
            return super().invoke(ctx)
        except (BenchError, DataError) as error:
            raise click.ClickException(str(error)) from None
        except BrokenPipeError:
            os._exit(0)
        except KeyboardInterrupt:
            click.echo("stopped; the same command goes on from each experiment's last epoch", err=True)
            sys.exit(130)


def _plug_in(context: click.Context, parameter: click.Parameter, paths: tuple[str, ...]) -> None:
    if not paths:
        return
    from bench.papers import registry  # reads all papers, which no other part of this module needs

    try:
        registry.plug_in(paths)
    except BenchError as error:
        raise click.ClickException(str(error)) from None


plugin_option = click.Option(
    ["--plugin"],
    multiple=True,
    metavar="PATH",
    expose_value=False,
    is_eager=True,
    callback=_plug_in,
    help="Load this plug-in, a Python file or a folder; repeatable. BENCH_PLUGINS has more of them.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))
