"""Finds and imports plug-ins: the files and folders in ``BENCH_PLUGINS``, and the entry points of installed packages.

A plug-in is plain Python that declares what the suite declares (docs/plugins.md). Every process imports them with
``bench.papers.registry``. Imports no torch, unless a plug-in does.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from bench.errors import BenchError
from bench.spec import plugin_source

VARIABLE = "BENCH_PLUGINS"
GROUP = "bench.plugins"  # of entry points
PACKAGE = "bench_plugins"  # the modules of files and folders lie below this name
PAPERS = "bench.papers"  # … and folders of papers below this


@dataclass(frozen=True)
class Plugin:
    """A plug-in that is to be imported as the module ``name``. ``installed``: its package has an entry point."""

    name: str
    place: Path
    installed: bool = False

    @property
    def is_paper(self) -> bool:
        """Whether it is the folder of a paper."""
        return (self.place / "paper.py").exists()


def add(paths: tuple[str, ...]) -> None:
    """Put ``paths`` behind the plug-ins in ``BENCH_PLUGINS``, for this process and those that it starts.

    Raises ``BenchError`` for a path that is no plug-in.
    """
    known = list(map(str, _paths()))
    added = [str(_checked(Path(path).expanduser().resolve())) for path in paths]
    if known or added:
        os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys([*known, *added]))


def _paths() -> list[Path]:
    texts = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(text).expanduser().resolve() for text in texts if text.strip()]


def options() -> list[str]:
    """The options that give another process the plug-ins of this one."""
    return [text for path in _paths() for text in ("--plugin", str(path))]


def _checked(path: Path) -> Path:
    if not path.exists():
        raise BenchError(f"plug-in {path} does not exist; a plug-in is a file NAME.py or a folder")
    if path.is_dir() and not any((path / name).exists() for name in ("__init__.py", "paper.py")):
        raise BenchError(f"plug-in {path} has neither __init__.py nor, as the folder of a paper, paper.py")
    if path.is_file() and path.suffix != ".py":
        raise BenchError(f"plug-in {path} is no Python file; a plug-in is a file NAME.py or a folder")
    return path


def named() -> list[Plugin]:
    """All plug-ins, those of installed packages first. Raises ``BenchError`` as ``add``, and for two with one name."""
    found: dict[str, Plugin] = {}
    for plugin in (*_installed(), *map(_plugin, _paths())):
        known = found.setdefault(plugin.name, plugin)
        if known.place != plugin.place:
            raise BenchError(f"two plug-ins have one name, {known.place} and {plugin.place}: rename one of them")
    return list(found.values())


def _plugin(path: Path) -> Plugin:
    name = re.sub(r"\W", "_", _checked(path).name.removesuffix(".py"))
    parent = PAPERS if (path / "paper.py").exists() else PACKAGE
    return Plugin(f"{parent}.{name}", path)


@cache
def _all_entry_points() -> EntryPoints:
    return entry_points()  # type: ignore[return-value]


def installed(group: str) -> list[EntryPoint]:
    """The entry points of ``group`` of all installed packages, which are read once."""
    return list(_all_entry_points().select(group=group))


def _installed() -> Iterator[Plugin]:
    for entry in installed(GROUP):
        spec = find_spec(entry.module)
        if spec is None or spec.origin is None:
            raise BenchError(f"entry point {entry.name!r} of {GROUP} names {entry.module}, which is not installed")
        file = Path(spec.origin)
        yield Plugin(entry.module, file.parent if file.name == "__init__.py" else file, installed=True)


def load(plugin: Plugin) -> ModuleType:
    """The imported module of ``plugin``. Raises ``BenchError`` with file and line for whatever goes wrong in it."""
    if plugin.is_paper and plugin.name not in plugin_source.FILES and find_spec(plugin.name):
        raise BenchError(f"{plugin.place}: the suite has a paper's folder of this name; rename yours")
    with reported(plugin.place):
        return plugin_source.load(plugin.name, plugin.place)


@contextmanager
def reported(place: Path) -> Iterator[None]:
    """Turns what the code of the plug-in in ``place`` raises into a ``BenchError`` with file and line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise BenchError(_message(place, error)) from None


def _message(place: Path, error: BaseException) -> str:
    files = {str(file) for file in plugin_source.FILES.values()}
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    if not frames:
        return str(error) if isinstance(error, BenchError) else f"{place}: {type(error).__name__}: {error}"
    where = f"{frames[-1].filename}:{frames[-1].lineno}"
    if isinstance(error, BenchError):
        return f"{where}: {error}"
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        advice = "" if package in sys.modules else f"; it is not installed here: pip install {package}"
        return f"{where}: {error}{advice}"
    return f"{where}: {type(error).__name__}: {error}"
