"""``bench gpu resources`` prints what each kernel needs of a GPU, or one message that says why it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.commands import gpu
from lightning_modules.scan import gpu_resources


def resources(*arguments: str) -> Result:
    return CliRunner().invoke(gpu.gpu, ["resources", *arguments])


def test_the_table_has_a_row_for_each_neuron_and_target(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(neurons: Any, targets: Any) -> list[gpu_resources.Resources]:
        assert (neurons, targets) == (("lif",), ("sm_80", "sm_90"))
        sizes = (8, 56, 0, 2048, 1, 2)
        return [gpu_resources.Resources("lif", "feedforward", "forward", target, *sizes) for target in targets]

    monkeypatch.setattr(gpu, "find_spec", lambda name: True)
    monkeypatch.setattr(gpu_resources, "resources", made)
    done = resources("sm_80", "sm_90", "--neuron", "lif")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[2:] == [
        "| lif | sm_80 | 56 |  |  | 0 | 2 | 1 and 2 bits |",
        "| lif | sm_90 | 56 |  |  | 0 | 2 | 1 and 2 bits |",
    ]


def test_what_stops_the_compilation_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "find_spec", lambda name: True)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert "unknown target sm_1; known: gfx942, sm_80, sm_90" in str(resources("sm_1").exception)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert "TRITON_INTERPRET=1 is set" in str(resources("sm_90").exception)
    monkeypatch.setattr(gpu, "find_spec", lambda name: None)
    assert "Triton, which is not installed" in str(resources().exception)
