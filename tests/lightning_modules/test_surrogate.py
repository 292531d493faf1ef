"""Surrogate gradients have the published shape."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.surrogate import SURROGATES, spike


def derivative(name: str, width: float, x: list[float]) -> list[float]:
    points = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    spike(points, name, width).sum().backward()
    assert points.grad is not None
    return points.grad.tolist()


@pytest.mark.parametrize(
    ("name", "width", "x", "expected"),
    [
        ("boxcar", 0.2, [0.0, 0.19, -0.19, 0.2, 1.0], [1, 1, 1, 0, 0]),
        ("rect", 0.25, [0.0, 0.24, -0.24, 0.25, 1.0], [2, 2, 2, 0, 0]),
        ("triangular", 1.0, [0.0, 0.5, -0.5, 1.0, 2.0], [1, 0.5, 0.5, 0, 0]),
        ("lsnn", 0.3, [0.0, 0.5, -0.5, 1.0, 2.0], [0.3, 0.15, 0.15, 0, 0]),
        ("arctan", 2.0, [0.0, 1 / math.pi, -1 / math.pi], [1, 0.5, 0.5]),
        ("multi_gaussian", 0.5, [0.0, 0.5, 3.0], [0.4391, 0.2589, -0.0121]),
        ("sigmoid", 0.5, [0.0, 0.125, -0.125, 20.0, -20.0], [2, 1.5729, 1.5729, 0, 0]),
    ],
)
def test_values_at_points_worked_by_hand(name: str, width: float, x: list[float], expected: list[float]) -> None:
    assert derivative(name, width, x) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "width", "area"),
    [
        ("boxcar", 0.2, 0.4),
        ("rect", 0.25, 1.0),
        ("triangular", 0.7, 1.0),
        ("multi_gaussian", 0.5, 0.425),
        ("sigmoid", 0.6, 1.0),
    ],
)
def test_area_under_the_curve(name: str, width: float, area: float) -> None:
    x = torch.linspace(-20, 20, 400_001, dtype=torch.float64)
    assert float(torch.trapezoid(SURROGATES[name](x, width), x)) == pytest.approx(area, abs=1e-3)


@pytest.mark.parametrize("width", [0.2, 0.5, 3.0])
def test_the_multi_gaussian_is_the_three_normal_densities_to_the_last_digits_of_a_double(width: float) -> None:
    def normal(x: torch.Tensor, mean: float, deviation: float) -> torch.Tensor:
        return torch.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))

    x = width * torch.linspace(-400, 400, 80_001, dtype=torch.float64)
    sides = normal(x, width, 6 * width) + normal(x, -width, 6 * width)
    expected = 0.5 * (1.15 * normal(x, 0.0, width) - 0.15 * sides)
    assert torch.allclose(SURROGATES["multi_gaussian"](x, width), expected, rtol=0, atol=1e-15 / width)


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_from_the_threshold_the_derivative_is_no_nan(name: str, dtype: torch.dtype) -> None:
    x = torch.tensor([-1e30, -1e9, 1e9, 1e30], dtype=dtype)
    assert SURROGATES[name](x, 0.5).abs().max() < 1e-6


@pytest.mark.parametrize("name", SURROGATES)
def test_forward_is_a_step_at_zero_whatever_the_surrogate(name: str) -> None:
    x = torch.tensor([-1.0, -1e-30, 0.0, 1e-30, 1.0])
    assert spike(x, name, 0.5).tolist() == [0, 0, 0, 1, 1]
    assert spike(x, name, 0.5, inclusive=True).tolist() == [0, 0, 1, 1, 1]


def test_an_unknown_surrogate_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="arctan, boxcar, lsnn, multi_gaussian, rect, sigmoid, triangular"):
        spike(torch.zeros(1), "gauss", 1.0)
