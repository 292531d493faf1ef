"""Products with few weights are those of torch, from a part of the batch and of time."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.neurons.lif import LIF
from lightning_modules.scan import Dense, narrow_products, scan_stack
from lightning_modules.scan.narrow_products import fits_registers

STEPS, BATCH = 5, 11
SHAPES = [(20, 16), (16, 2), (1, 7)]  # inputs, outputs
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("inputs", "outputs"), SHAPES)
def test_products_of_a_part_of_the_input_are_those_of_torch(inputs: int, outputs: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    kernels = narrow_products.narrow_products(inputs, outputs)
    x = torch.randn(STEPS, BATCH, inputs, dtype=dtype)
    weight = torch.randn(inputs, outputs, dtype=dtype)
    bias = torch.randn(outputs, dtype=dtype)
    step, row, steps, rows = 1, 3, 3, 6
    part = x[step : step + steps, row : row + rows].reshape(-1, inputs)
    out = torch.empty(steps * rows, outputs, dtype=dtype)
    kernels.project(x.numpy(), step, row, rows, weight.numpy(), bias.numpy(), out.numpy())
    torch.testing.assert_close(out, torch.addmm(bias, part, weight), rtol=0, atol=TOLERANCE[dtype])

    grad = torch.randn(steps * rows, outputs, dtype=dtype)
    back = torch.empty(steps * rows, inputs, dtype=dtype)
    no_bias = torch.zeros(inputs, dtype=dtype)
    kernels.project_back(grad.numpy(), weight.t().contiguous().numpy(), no_bias.numpy(), back.numpy())
    torch.testing.assert_close(back, grad @ weight.t(), rtol=0, atol=TOLERANCE[dtype])

    total = torch.randn(inputs, outputs, dtype=dtype)
    expected = total + part.t() @ grad
    kernels.outer(x.numpy(), step, row, rows, grad.numpy(), total.numpy())
    torch.testing.assert_close(total, expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("outputs", "inputs", "dtype", "fits"),
    [
        (16, 20, torch.float32, True),
        (2, 16, torch.float64, True),
        (16, 32, torch.float32, True),
        (16, 33, torch.float32, False),
        (16, 20, torch.float64, False),
        (10, 512, torch.float32, False),
    ],
)
def test_weights_fit_where_each_row_has_whole_registers(
    outputs: int, inputs: int, dtype: torch.dtype, fits: bool
) -> None:
    assert fits_registers(torch.empty(outputs, inputs, dtype=dtype)) == fits


@pytest.mark.parametrize("batch", [13, 20, 36])  # prime, and of two and four samples that share a row of the kernel
def test_a_narrow_network_is_the_loop_for_any_batch(batch: int) -> None:
    torch.manual_seed(0)
    x = (torch.rand(30, batch, 12) < 0.2).double()
    results = []
    for backend in ("cpu", "loop"):
        torch.manual_seed(1)
        layers = [
            Dense(LIF(8).double(), torch.randint(-8, 9, (8, 12)).double() / 16, torch.zeros(8).double()),
            Dense(LIF(2).double(), torch.randint(-8, 9, (2, 8)).double() / 16),
        ]
        weights = [layer.weight.requires_grad_() for layer in layers]
        assert all(map(fits_registers, weights))
        inputs = x.clone().requires_grad_()
        result = scan_stack(layers, inputs, backend=backend)
        grads = torch.autograd.grad((result.output * torch.linspace(-1, 1, 2)).sum(), [inputs, *weights])
        results.append((result.output, *grads))
    assert results[0][0].any()
    for fused, loop in zip(*results, strict=True):
        torch.testing.assert_close(fused, loop, rtol=0, atol=1e-10)
