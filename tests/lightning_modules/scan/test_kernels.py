"""Kernels are compiled once, whoever asks first, wherever the folder is; forked and spawned processes run them too."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import numba_printer, scan
from lightning_modules.scan.kernels import kernel, load

RUN = """
import logging, sys, torch
logging.basicConfig(level=logging.INFO)
from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import compile_seconds, scan
x = torch.linspace(0, 1, 60).reshape(5, 3, 4).requires_grad_()
scan(LIF(4), x, backend="cpu").output.sum().backward()
print(float(x.grad.sum()), bool(compile_seconds()))
"""
EXPONENTIALS = """

@kernel
def exponentials(x, out):
    for n in range(len(x)):
        out[n] = exp(x[n])
"""
ROOT = Path(__file__).parents[3]


def start(folder: str) -> subprocess.Popen:
    environment = {**os.environ, "BENCH_KERNELS": folder, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", RUN], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen) -> tuple[str, bool, str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    value, compiled = out.split()
    return value, compiled == "True", err


@pytest.mark.slow
def test_two_processes_compiling_at_once_and_a_third_that_finds_it_done(tmp_path: Path) -> None:
    processes = [start(str(tmp_path)) for _ in range(2)]
    (first_value, compiled, log), (second_value, _, _) = (finish(p) for p in processes)
    assert compiled and "compil" in log  # the time of the first use is reported
    third_value, compiled_again, _ = finish(start(str(tmp_path)))
    assert first_value == second_value == third_value
    assert not compiled_again
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    _, compiled, log = finish(start(str(tmp_path / "file")))
    assert compiled
    assert "temporary folder" in log


def child(queue: multiprocessing.Queue) -> None:
    try:
        torch.ones(1, requires_grad=True).sum().backward()
    except RuntimeError as error:
        queue.put(f"autograd itself: {error}")
        return
    torch.manual_seed(0)
    queue.put(float(scan(LIF(4), torch.rand(5, 130, 4), backend="cpu").output.sum()))


def parent_and_child(method: str) -> None:
    torch.manual_seed(0)
    expected = float(
        scan(LIF(4), torch.rand(5, 130, 4), backend="cpu").output.sum()
    )  # the parent's threads exist by now
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    value = queue.get(timeout=60)
    process.join(10)
    if isinstance(value, str):
        print(value)
    else:
        assert value == expected


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_computes_the_same(method: str) -> None:
    # a parent of its own: torch forbids a fork where autograd has threads, and other tests may have started them here
    code = f"from {__name__} import parent_and_child; parent_and_child({method!r})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stderr
    if method == "spawn":
        assert not result.stdout
    elif result.stdout:  # a CUDA build of torch: no autograd in a fork of a process that has used it, whatever it runs
        pytest.skip(result.stdout)


def test_products_and_sums_are_not_contracted() -> None:
    @kernel
    def multiply_add(a, b, c, out):  # type: ignore[no-untyped-def]
        for n in range(out.shape[0]):
            out[n] = a[n] * b[n] + c[n]

    torch.manual_seed(0)
    a, b, c = (torch.randn(1000) for _ in range(3))
    out = torch.empty(1000)
    multiply_add(a.numpy(), b.numpy(), c.numpy(), out.numpy())
    assert torch.equal(out, a * b + c)


def test_the_printed_exponential_is_within_two_units_and_keeps_what_is_not_finite() -> None:
    prelude = numba_printer.PRELUDE.format(title="exp", real="float32", integer="int32")
    module = load(prelude + numba_printer.EXP + EXPONENTIALS, "exp")
    x = np.concatenate([np.linspace(-87.0, 88.3, 200_001), np.linspace(-1.0, 1.0, 100_001)]).astype(np.float32)
    out = np.empty_like(x)
    module.exponentials(x, out)
    exact = np.exp(x.astype(np.float64))
    assert np.max(np.abs(out - exact) / np.spacing(exact.astype(np.float32))) < 2
    extremes = np.array([-np.inf, -1e30, -88.0, -0.0, 88.8, 1e30, np.inf, np.nan], np.float32)
    out = np.empty_like(extremes)
    module.exponentials(extremes, out)
    np.testing.assert_array_equal(out, np.array([0, 0, 0, 1, np.inf, np.inf, np.inf, np.nan], np.float32))
