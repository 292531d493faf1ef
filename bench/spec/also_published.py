"""``AlsoPublished``: what another paper prints for a cell. It is printed beside the cell and never gives a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from bench.spec.table import Cell, Paper, Table


@dataclass(frozen=True)
class AlsoPublished:
    """``paper`` prints ``value`` for the cell in ``row`` and ``column`` of the table with the id ``table``.

    ``note`` says how its network and recipe differ from those of the cell. Raises ``ValueError`` for a value that is no
    number, and without a note.
    """

    paper: Paper
    table: str
    row: str
    column: str
    value: str
    note: str

    def __post_init__(self) -> None:
        if not self.note:
            raise ValueError(f"{self.table}/{self.row}/{self.column}: a note must say how the recipes differ")
        float(self.value)

    @property
    def number(self) -> float:
        """``value`` in the cell's unit."""
        return float(self.value)

    def is_of(self, table: Table, cell: Cell) -> bool:
        """Whether it belongs to ``cell`` of ``table``."""
        return (self.table, self.row, self.column) == (table.id, cell.row, cell.column)
