"""The backward pass of a step is given the least that it can be computed from."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.neurons import NEURONS
from lightning_modules.scan.fused import drive_rows, traced_step
from lightning_modules.scan.saved_values import is_binary, saved_values
from lightning_modules.scan.trace import Traced
from tests.lightning_modules.scan.common import NAMES, Bursting


def traced(name: str) -> Traced:
    neuron = NEURONS[name](3)
    return traced_step(neuron, tuple(drive_rows(neuron, 5)), torch.float32)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_the_backward_graph_reads_nothing_that_is_not_saved(name: str, recurrent: bool) -> None:
    step = traced(name)
    saved = saved_values(step, recurrent)
    known = {*saved.numbers, *saved.bits, *(f"current_{i}" for i in saved.currents)}
    known |= {f"drive_{drive}" for drive in step.drives} | {f"grad_{s}" for s in step.states} | {"grad_output"}
    computed = {op.name for op in saved.backward.ops}
    assert saved.backward.used() - computed - known <= {v for v in saved.backward.outputs if not isinstance(v, str)}
    given = {f"state_{s}" for s in step.states} | {f"current_{i}" for i in range(step.currents)}
    forward = {op.name for op in (*step.forward.ops, *saved.extra.ops)}
    assert {*saved.numbers, *saved.bits} <= given | forward


def test_celif_saves_one_number_and_two_bits_of_each_step() -> None:
    saved = saved_values(traced("celif"), recurrent=False)
    assert saved.numbers == ("state_v",)
    assert saved.bits[0] == "state_s" and len(saved.bits) == 2
    assert saved.currents == ()


def test_an_output_of_spikes_is_told_from_a_graded_one() -> None:
    binary = {name for name in NAMES if is_binary((step := traced(name)).forward, step.forward.outputs[-1])}
    assert binary == {name for name in NAMES if NEURONS[name].spiking}
    smooth = Bursting(3, 5, Bursting.Config(smooth=True))
    step = traced_step(smooth, tuple(drive_rows(smooth, 5)), torch.float32)
    assert not is_binary(step.forward, step.forward.outputs[-1])
