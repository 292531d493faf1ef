"""A training step as one CUDA graph: forward pass, backward pass and optimiser, without a launch from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

WARMUP = 3  # steps that run as usual first: kernels are compiled, and the optimiser makes its state
Capture = Callable[[Callable[[], None]], Callable[[], object]]


def make_capturable(optimiser: torch.optim.Optimizer) -> bool:
    """Let ``optimiser`` run in a graph: its step count and learning rate become tensors on the device.

    A schedule changes the rate in place then, as before. Returns False, and changes nothing, for an optimiser that
    cannot (only Adam and its kin can) and for parameters that are not on a CUDA device.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    if not all("capturable" in group for group in optimiser.param_groups) or not all(p.is_cuda for p in parameters):
        return False
    for group in optimiser.param_groups:
        group["capturable"] = True
        group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=parameters[0].device)
    for state in optimiser.state.values():
        if isinstance(state.get("step"), Tensor):
            state["step"] = state["step"].to(parameters[0].device)
    return True


def capture_on_cuda(step: Callable[[], None]) -> Callable[[], object]:
    """Record what ``step`` launches; the result launches it again. Nothing in ``step`` may wait for the device.

    Other threads may use the card meanwhile: they send batches and write checkpoints.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    return graph.replay


class GraphedStep:
    """``step(*batch)`` trains on one batch and returns its loss, a tensor that nothing has waited for.

    ``loss_of`` gives the loss of a batch of tensors; of several seeds the loss of each, [S]. The first ``WARMUP``
    batches, and batches of another shape such as the last one of an epoch, run as usual. All others are copied to where
    the graph reads them. ``clip`` limits the norm of the gradient: of each seed's parameters alone, where ``seeds``
    gives them.
    """

    def __init__(
        self,
        loss_of: Callable[..., Tensor],
        optimiser: torch.optim.Optimizer,
        clip: float | None = None,
        seeds: Sequence[Sequence[Tensor]] | None = None,
        capture: Capture | None = None,
    ) -> None:
        """``capture`` defaults to a CUDA graph where ``optimiser`` can run in one, else every step runs as usual."""
        self.loss_of = loss_of
        self.optimiser = optimiser
        self.clip = clip
        every = [p for group in optimiser.param_groups for p in group["params"]]
        self.seeds = [every] if seeds is None else seeds
        self.capture = capture
        if capture is None and make_capturable(optimiser):
            self.capture = capture_on_cuda
        self.steps = 0
        self.form: list[tuple[torch.Size, torch.dtype]] = []  # of the batches that the graph takes
        self.batch: list[Tensor] = []
        self.loss: Tensor | None = None
        self.replay: Callable[[], object] | None = None

    def __call__(self, *batch: Tensor) -> Tensor:
        self.steps += 1
        self.form = self.form or _form(batch)
        if self.capture is None or _form(batch) != self.form:
            return self._run(batch)
        if self.steps <= WARMUP:
            return self._run_beside(batch)
        if self.replay is None:
            self.batch = [torch.empty_like(x) for x in batch]
        for static, x in zip(self.batch, batch, strict=True):
            static.copy_(x, non_blocking=True)
        if self.replay is None:
            self.replay = self.capture(self._run_static)
        self.replay()
        assert self.loss is not None
        return self.loss.clone()

    def _run(self, batch: Sequence[Tensor]) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss_of(*batch)
        loss.sum().backward()
        if self.clip is not None:
            for parameters in self.seeds:
                nn.utils.clip_grad_norm_(parameters, self.clip)
        self.optimiser.step()
        return loss.detach()

    def _run_static(self) -> None:
        self.loss = self._run(self.batch)

    def _run_beside(self, batch: Sequence[Tensor]) -> Tensor:
        """Run a step on a stream of its own, as a graph needs it of the steps before."""
        if not batch[0].is_cuda:
            return self._run(batch)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._run(batch)
        torch.cuda.current_stream().wait_stream(stream)
        return loss


def _form(batch: Sequence[Tensor]) -> list[tuple[torch.Size, torch.dtype]]:
    return [(x.shape, x.dtype) for x in batch]
