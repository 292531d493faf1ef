"""Importing the suite before torch says how long a thread of OpenMP waits, unless the user has said it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

IMPORT = "import os, sys, {0}; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"


@pytest.mark.parametrize("package", ["bench", "lightning_modules"])
@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
)
def test_a_thread_without_work_gives_its_processor_back_soon(
    package: str, variables: dict[str, str], expected: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", IMPORT.format(package)]
    result = subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [expected, "False"]
