"""The source of plug-ins: every file is read once, imported from what was read, and hashed without comments and format.

No file with byte code is written or read: it may be older than a file that was changed within the same second.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

FILES: dict[str, Path] = {}  # names of modules -> their files
_FOLDERS: dict[str, Path] = {}  # names of packages -> their folders


@cache
def text(file: Path) -> bytes:
    """What is in ``file``, as this process has read it first. Raises ``OSError``."""
    return file.read_bytes()


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(text(FILES[module]))


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> Any:
        return compile(text(Path(self.path)), self.path, "exec", dont_inherit=True)


class _Finder:
    """Finds the modules in the folders of plug-ins."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        parent, _, last = name.rpartition(".")
        return _spec(name, _FOLDERS[parent] / last) if parent in _FOLDERS else None


sys.meta_path.insert(0, _Finder)


def _spec(name: str, place: Path) -> ModuleSpec | None:
    """The module ``name``: the package in the folder ``place``, else the file ``place`` with the ending .py."""
    folder = place.is_dir()
    file = place / "__init__.py" if folder else place.with_name(f"{place.name}.py")
    if not file.exists():
        return None
    FILES[name] = file
    if folder:
        _FOLDERS[name] = place
    places = [str(place)] if folder else None
    return spec_from_file_location(name, file, loader=_Loader(name, str(file)), submodule_search_locations=places)


def load(name: str, place: Path) -> ModuleType:
    """Import the file or folder ``place`` as the module ``name``; whatever it raises passes."""
    if name in sys.modules:
        return sys.modules[name]
    spec = _spec(name, place.with_suffix("") if place.suffix == ".py" else place)
    if spec is None:  # a paper's folder needs no __init__.py
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(place)]
        FILES[name] = _FOLDERS[name] = place
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def line_of(module: str, constant: str) -> str:
    """FILE:LINE of the first text ``constant`` in ``module``, FILE alone without one."""
    file = FILES[module]
    nodes = ast.walk(_tree(module)) if file.is_file() else ()
    lines = [node.lineno for node in nodes if isinstance(node, ast.Constant) and node.value == constant]
    return f"{file}:{min(lines)}" if lines else str(file)


def definition(module: str, name: str, without: Sequence[str] = ()) -> list[str]:
    """What defines ``name`` in ``module`` and all of the plug-ins' code that it uses, without comments, docstrings and
    format. ``without`` are attributes of the class ``name`` that are left out.
    """
    found: dict[tuple[str, str], str] = {}
    _collect(module, name, found, without)
    return [f"{name}: {found[place, name]}" for place, name in sorted(found, key=lambda key: key[::-1])]


def _collect(module: str, name: str, found: dict[tuple[str, str], str], without: Sequence[str] = ()) -> None:
    if (module, name) in found or not _is_known(module) or not FILES[module].is_file():
        return
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom):
            for origin, original in _imported(module, node, name):
                _collect(origin, original, found)
        elif name == "*" or name in _defined(node):
            plain = _plain(node, without)
            found[module, name] = f"{found.get((module, name), '')}{ast.unparse(plain)}\n"
            for used in {other.id for other in ast.walk(plain) if isinstance(other, ast.Name)} - {name}:
                _collect(module, used, found)


def _imported(module: str, node: ast.ImportFrom, name: str) -> Iterator[tuple[str, str]]:
    """Module and name of what ``node`` imports as ``name`` from a plug-in; a module has the name "*"."""
    package = module if module in _FOLDERS else module.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    origin = ".".join(filter(None, [package if node.level else "", node.module]))
    for alias in node.names:
        if name in (alias.asname or alias.name, "*"):
            inner = f"{origin}.{alias.name}"
            yield (inner, "*") if _is_known(inner) else (origin, alias.name)


def _is_known(module: str) -> bool:
    """Whether ``module`` is a plug-in's, imported or not."""
    return module in FILES or _Finder.find_spec(module) is not None


def _defined(node: ast.AST) -> set[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    stored = (other for other in ast.walk(node) if isinstance(other, ast.Name))
    return {other.id for other in stored if isinstance(other.ctx, ast.Store)}


def _plain(node: ast.AST, without: Sequence[str]) -> ast.AST:
    """A copy of ``node`` without docstrings, and without the attributes ``without`` of a class."""
    copy = ast.parse(ast.unparse(node)).body[0]
    if isinstance(copy, ast.ClassDef):
        copy.body = [part for part in copy.body if not _defined(part) & set(without)]
    for part in ast.walk(copy):
        body = getattr(part, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                del body[0]
    return copy
