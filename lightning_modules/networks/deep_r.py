"""DEEP R: rewiring during training at a fixed number of connections (Bellec et al. 2018, ICLR; public LSNN code)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_modules.networks.synapses import Synapses


class DeepR(nn.Module):
    """Keeps ``connectivity`` of all possible synapses connected, over all ``synapses`` together; their signs never
    change.

    After each step of the optimiser every connected magnitude shrinks by ``l1`` times the learning rate (plus noise of
    ``temperature``); one that falls to 0 or below is disconnected, and as many of the missing ones, drawn evenly, are
    connected at (almost) 0. What is drawn follows from a seed and a count of the steps, both in the checkpoint: a
    resumed training rewires alike.

    Self-connections that are not allowed count as possible synapses, as in the public code, but are never connected.
    """

    START = 1e-12  # magnitude of a new connection
    seed: Tensor
    steps: Tensor

    def __init__(
        self, synapses: Sequence[Synapses], connectivity: float, l1: float = 1e-2, temperature: float = 0.0
    ) -> None:
        super().__init__()
        if not 0.0 < connectivity <= 1.0:
            raise ValueError(f"connectivity {connectivity} is outside (0, 1]")
        if any(s.signs is None for s in synapses):
            raise ValueError("DEEP R needs synapses with signs")
        self.synapses = tuple(synapses)  # a tuple: they are modules of the network, not of this one
        possible = sum(s.weight.numel() for s in synapses)
        allowed = sum(int(s.allowed.sum()) for s in synapses)
        self.count = min(round(connectivity * possible), allowed)
        self.l1 = l1
        self.temperature = temperature
        self.register_buffer("seed", torch.randint(2**31, ()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        for s in self.synapses:
            s.connected.zero_()
        self._connect(self.count, self._generator())
        with torch.no_grad():
            for s in self.synapses:
                s.weight.mul_(s.connected)

    def constrain(self, lr: float) -> None:
        """Rewire, after a step of the optimiser at learning rate ``lr``."""
        generator = self._generator()
        missing = self.count
        with torch.no_grad():
            for s in self.synapses:
                weight = s.weight.sub_(lr * self.l1)
                if self.temperature:
                    noise = torch.randn(weight.shape, generator=generator).to(weight)
                    weight.add_(noise, alpha=(2 * lr * self.temperature) ** 0.5)
                s.connected &= weight > 0  # momentum may have moved what is not connected: it stays so
                weight.mul_(s.connected)
                missing -= int(s.connected.sum())
            self._connect(missing, generator, self.START)
            self.steps += 1

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed((int(self.seed) * 1_000_003 + int(self.steps)) % 2**63)

    def _connect(self, missing: int, generator: torch.Generator, start: float | None = None) -> None:
        """Connect ``missing`` of what is free, at the magnitude ``start`` (or the one it has)."""
        free = [(s.allowed & ~s.connected).flatten() for s in self.synapses]
        places = torch.cat(free).nonzero().flatten()
        chosen = places[torch.randperm(len(places), generator=generator)[:missing].to(places.device)]
        begin = 0
        for s in self.synapses:
            new = chosen[(chosen >= begin) & (chosen < begin + s.weight.numel())] - begin
            begin += s.weight.numel()
            s.connected.view(-1)[new] = True
            if start is not None:
                s.weight.view(-1)[new] = start
