"""The Triton kernels equal the loop, forward and backward, for every neuron. No GPU is needed, and none is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import scan
from tests.lightning_modules.scan.common import NAMES

pytest.importorskip("triton", reason="triton is not installed: the GPU kernels cannot be interpreted")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def outcome() -> dict[str, str]:
    command = [sys.executable, "-m", "tests.lightning_modules.scan.gpu_cases"]
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout.splitlines()[-1])
    assert set(outcome) == {*CASES, *SEEDS}
    return outcome


CASES = [
    *NAMES, "user", "resonant", "user-f64", *(f"recurrent-{name}" for name in (*NAMES, "user")),
    "recurrent-truncated-checkpointed", "recurrent-f64", "recurrent-long", "by-step-glif", "by-step-indrnn",
    "by-step-long", "tiles-segments", "given-state", "stack",
]  # fmt: skip
SEEDS = ["seeds", "seeds-recurrent", "settings"]


@pytest.mark.parametrize("case", CASES)
def test_the_kernels_equal_the_loop(case: str, outcome: dict[str, str]) -> None:
    assert outcome[case] == "ok", outcome[case]


@pytest.mark.parametrize("case", SEEDS)
def test_networks_in_one_launch_have_the_results_that_each_has_alone(case: str, outcome: dict[str, str]) -> None:
    assert outcome[case] == "ok", outcome[case]


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="CPU tensors are fine in the interpreter")
def test_cpu_tensors_outside_the_interpreter_are_refused() -> None:
    with pytest.raises(ValueError, match="CUDA"):
        scan(LIF(3), torch.zeros(2, 2, 3), backend="gpu")
