"""A graphed training step is the usual one: the same weights, whatever the shapes of batches and the schedule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.graphed_step import WARMUP, GraphedStep, make_capturable


def batches(sizes: list[int]) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(n, 4, generator=generator), torch.randn(n, 2, generator=generator)) for n in sizes]


def trained(step_of: Callable[[Callable[..., Tensor], torch.optim.Optimizer], Callable[..., Tensor]]) -> list[Tensor]:
    torch.manual_seed(0)
    network = nn.Linear(4, 2)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 3, 0.5)
    step = step_of(lambda x, y: functional.mse_loss(network(x), y), optimiser)
    losses = []
    for x, y in batches([8, 8, 8, 5, 8, 8, 8, 8, 3, 8]):
        losses.append(step(x, y))
        schedule.step()
    return [*network.parameters(), *losses]


def usual_step(loss_of: Callable[..., Tensor], optimiser: torch.optim.Optimizer) -> Callable[..., Tensor]:
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimiser.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], 0.3)
        optimiser.step()
        return loss.detach()

    return step


@pytest.mark.parametrize("captured", [False, True])
def test_a_graphed_step_trains_as_the_usual_one(captured: bool) -> None:
    replays = []

    def capture(step: Callable[[], None]) -> Callable[[], object]:
        """In the place of a graph: the step itself, on the tensors that the graph would read."""

        def replay() -> None:
            replays.append(1)
            step()

        return replay

    expected = trained(usual_step)
    actual = trained(
        lambda loss_of, optimiser: GraphedStep(loss_of, optimiser, 0.3, capture=capture if captured else None)
    )
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
    assert len(replays) == (10 - WARMUP - 2 if captured else 0)


def test_parameters_that_are_not_on_a_gpu_stay_with_the_usual_step() -> None:
    optimiser = torch.optim.Adam(nn.Linear(4, 2).parameters())
    assert not make_capturable(optimiser)
    assert GraphedStep(lambda: torch.zeros(()), optimiser).capture is None
    assert isinstance(optimiser.param_groups[0]["lr"], float)
