"""What all groups of commands share. No torch."""

from __future__ import annotations

import ast
import io
import json
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from bench.errors import BenchError, unknown
from bench.spec import plugins
from datamodules.sources import DataError


class Commands(click.Group):
    """A group whose unknown commands name the nearest, and whose errors are one message, never a traceback.

    ``places`` are commands ("module:name") that are imported when they are called: the list of all needs none of them.
    Other packages add commands through entry points of the group ``plugged``: ``run`` belongs to ``sweeps``, which
    knows ``bench``, while ``bench`` does not know ``sweeps``.
    """

    def __init__(self, *args: Any, places: Mapping[str, str] | None = None, plugged: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own_places = dict(places or {})
        self.plugged = plugged
        self.params.append(plugin_option)

    @cached_property
    def places(self) -> dict[str, str]:
        """Commands by name that are imported when they are called."""
        plugged = plugins.installed(self.plugged) if self.plugged else []
        return {**self.own_places, **{entry.name: entry.value for entry in plugged}}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *self.places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in self.places:
            module, _, name = self.places[cmd_name].partition(":")
            try:
                command = getattr(import_module(module), name)
            except BenchError as error:  # a paper's folder breaks a rule of the registry
                raise click.ClickException(str(error)) from None
        if command is not None and plugin_option not in command.params:
            command.params.append(plugin_option)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        helps = [self._unloaded(name) or self.get_command(ctx, name) or click.Command(name) for name in names]
        rows = [(name, command.get_short_help_str(limit)) for name, command in zip(names, helps, strict=True)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _unloaded(self, name: str) -> click.Command | None:
        """A command with the help of the one at ``places[name]``, whose module is read and not imported."""
        module, _, function = self.places.get(name, "").partition(":")
        found = find_spec(module) if module else None
        if found is None or found.origin is None:
            return None
        tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                return click.Command(name, help=ast.get_docstring(node))
        return None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
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
