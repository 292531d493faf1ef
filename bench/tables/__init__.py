"""One file per published table; ``TABLES`` finds them all. Data only, no torch."""

from importlib import import_module
from pkgutil import iter_modules

from bench.table import Table


def _natural(table: Table) -> tuple:
    paper, *rest = table.id.split("-")
    return paper, len(rest), int(rest[-1])


TABLES: dict[str, Table] = {
    t.id: t for t in sorted((import_module(f"{__name__}.{m.name}").TABLE for m in iter_modules(__path__)), key=_natural)
}
