"""Compiles the kernels of neurons for GPUs that are not there, and reads what each needs: registers, memory, spills.

Triton's wheel has the compiler and ``cuobjdump``. For an AMD GPU the numbers stand in the assembly.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lightning_modules.neurons.base import NEURONS
from lightning_modules.scan import kernels
from lightning_modules.scan.fused import drive_rows, traced_step
from lightning_modules.scan.gpu_plan import WHOLE, Tile, interpreted, tile_of
from lightning_modules.scan.saved_values import saved_values
from lightning_modules.scan.triton_printer import source

TARGETS = {"sm_80": ("cuda", 80, 32), "sm_90": ("cuda", 90, 32), "gfx942": ("hip", "gfx942", 64)}
KINDS = ("feedforward", "recurrent", "recurrent by step")
STEPS = 784  # of the layers that are compiled; only whether a drive changes in time depends on it
INTEGERS = {"steps", "t_first", "begin", "T", "T_saved", "B", "N", "detach", "known"}


class Resources(NamedTuple):
    """What one kernel needs on one target."""

    neuron: str
    kind: str  # one of ``KINDS``
    direction: str  # forward or backward
    target: str  # one of ``TARGETS``
    warps: int
    registers: int  # of a thread
    spilled: int  # bytes of a thread outside registers
    shared: int  # bytes of shared memory of a program
    numbers: int  # saved for the backward pass, a neuron and step
    bits: int  # saved likewise


def targets() -> list[str]:
    """The targets that this Triton compiles for."""
    from triton.backends import backends  # not installed everywhere

    names = {"cuda": "nvidia", "hip": "amd"}
    return [target for target, (backend, _, _) in TARGETS.items() if names[backend] in backends]


def resources(
    neurons: Iterable[str] | None = None,
    on: Iterable[str] | None = None,
    kinds: Iterable[str] = KINDS,
    dtype: torch.dtype = torch.float32,
    ones: Collection[str] = (),
    size: int = WHOLE,
) -> Iterator[Resources]:
    """Compile every kernel of ``neurons`` (default: all registered) for the targets ``on`` (default: all).

    Layers have ``size`` neurons; more than 256, or float64, are not compiled for the kind "recurrent". ``ones`` names
    integer arguments that are 1, which Triton compiles in. Raises ``ValueError`` for an unknown name, and in Triton's
    interpreter.
    """
    if interpreted():
        raise ValueError("TRITON_INTERPRET=1 is set: nothing is compiled in Triton's interpreter")
    neurons = sorted(NEURONS) if neurons is None else list(neurons)
    on = targets() if on is None else list(on)
    for what, given, known in (("neuron", neurons, NEURONS), ("target", on, TARGETS), ("kind", kinds, KINDS)):
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"unknown {what} {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    for name in neurons:
        yield from _of_neuron(name, on, kinds, dtype, ones, size)


def _of_neuron(
    name: str, on: Iterable[str], kinds: Iterable[str], dtype: torch.dtype, ones: Collection[str], size: int
) -> Iterator[Resources]:
    neuron = NEURONS[name](size)
    drives = drive_rows(neuron, STEPS)
    traced = traced_step(neuron, tuple(drives), dtype)
    each_step = {drive: rows.shape[0] > 1 for drive, rows in drives.items()}
    for kind in kinds:
        if kind == "recurrent" and (dtype == torch.float64 or size > WHOLE):
            continue  # such layers are launched step by step
        recurrent = kind != "feedforward"
        module = kernels.load(source(traced, recurrent), traced.title)
        saved = saved_values(traced, recurrent)
        for direction in ("forward", "backward"):
            for target in on:
                backend = TARGETS[target][0]
                stepwise = kind == "recurrent by step"
                tile = tile_of(size, recurrent, stepwise, any(each_step.values()), backend, dtype)
                known = tile.constants(dtype) | {"SAVE": True, "OUTPUT": True} | dict.fromkeys(ones, 1)
                known |= {f"every_{drive}": int(each) for drive, each in each_step.items()}
                registers, spilled, shared = _compile(getattr(module, direction), known, tile, target)
                sizes = (tile.warps, registers, spilled, shared, len(saved.numbers), len(saved.bits))
                yield Resources(name, kind, direction, target, *sizes)


def _compile(function: Any, known: dict[str, Any], tile: Tile, target: str) -> tuple[int, int, int]:
    """Registers and spilled bytes of a thread, shared memory of a program; ``known`` are arguments to compile in."""
    import triton  # not installed everywhere
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    number = known["real"].name
    signature = {}
    constants = {}
    for parameter in function.params:
        name = parameter.name
        if parameter.is_constexpr or name in known:
            signature[name] = "constexpr"
            constants[name] = known.get(name, False)
        elif name in INTEGERS:
            signature[name] = "i32"
        elif name.startswith("bits_"):
            signature[name] = "*i32"
        else:
            signature[name] = "*bf16" if name == "matrix" and number == "fp32" else f"*{number}"
    pointers = [i for i, form in enumerate(signature.values()) if form.startswith("*")]
    made = triton.compile(
        ASTSource(function, signature, constants, {(i,): [["tt.divisibility", 16]] for i in pointers}),
        target=GPUTarget(*TARGETS[target]),
        options=tile.options(TARGETS[target][0]),
    )
    read = _read_cubin(made.asm["cubin"]) if "cubin" in made.asm else _read_assembly(made.asm["amdgcn"])
    return *read, made.metadata.shared


def _read_cubin(cubin: bytes) -> tuple[int, int]:
    """Registers and stack of a thread."""
    import triton

    program = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(program), "-res-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"REG:(\d+) STACK:(\d+)", text)
    assert match is not None, text
    return int(match[1]), int(match[2])


def _read_assembly(text: str) -> tuple[int, int]:
    """Vector registers and scratch memory of a lane."""
    registers = re.search(r"\.vgpr_count:\s*(\d+)", text)
    scratch = re.search(r"\.private_segment_fixed_size:\s*(\d+)", text)
    assert registers is not None and scratch is not None
    return int(registers[1]), int(scratch[1])


def table(rows: Iterable[Resources]) -> str:
    """Markdown: a row for each neuron and target, with registers forward / backward, and the most of the rest."""
    of: dict[tuple[str, str], list[Resources]] = {}
    for row in rows:
        of.setdefault((row.neuron, row.target), []).append(row)
    heads = ["neuron", "target", *KINDS, "spilled bytes", "shared memory, kB", "saved"]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * (len(heads) - 2)}"]
    for (neuron, target), group in of.items():
        registers = [" / ".join(str(row.registers) for row in group if row.kind == kind) for kind in KINDS]
        spilled = max(row.spilled for row in group)
        shared = max(row.shared for row in group) / 1024
        saved = f"{group[0].numbers} and {group[0].bits} bits"
        lines.append(f"| {neuron} | {target} | {' | '.join(registers)} | {spilled} | {shared:.0f} | {saved} |")
    return "\n".join(lines)
