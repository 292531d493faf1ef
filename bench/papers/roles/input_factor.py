"""What cells say of the factor 1 - k, by which XOR, SHD and SSC multiply their input."""

from __future__ import annotations

from dataclasses import replace

from bench.spec.table import Cell

INPUT_WHOLE = "the paper's own equation: the input is not multiplied by 1 - k"
NO_INPUT = "with the factor 1 - k no input reaches the layer at k = 1"


def without_input_noted(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """``cells``; those of a network that gets no input say so."""
    return tuple(
        replace(cell, note="; ".join(filter(None, [NO_INPUT, cell.note]))) if _without_input(cell) else cell
        for cell in cells
    )


def _without_input(cell: Cell) -> bool:
    if cell.task is None or cell.model is None or not cell.runnable:
        return False
    neuron = {**cell.task.neuron, **cell.model.settings}
    return neuron.get("scale_input", False) and neuron.get("leak") == 1.0
