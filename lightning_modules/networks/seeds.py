"""Several networks of one shape, run together: the seeds of an experiment, or a sweep over a leak or a threshold."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lightning_modules import scan
from lightning_modules.networks.base import Network
from lightning_modules.networks.dense import Dense


def forward_seeds(networks: Sequence[Network], xs: Sequence[scan.Input]) -> list[Tensor]:
    """The output of each network for its own input ``x``, as ``network(x)`` gives it.

    Dense networks go through one ``scan.scan_seeds``, others one after another. The sum of the losses has the gradient
    of every network's own loss, so one optimiser may have the parameters of all. Raises ``ValueError`` for networks or
    inputs of different shapes.
    """
    dense = [network for network in networks if isinstance(network, Dense)]
    if len(dense) < len(networks):
        return [network(x) for network, x in zip(networks, xs, strict=True)]
    stacks = [network.specs(x.shape[1]) for network, x in zip(dense, xs, strict=True)]
    results = scan.scan_seeds(stacks, xs, output=dense[0].readout != "linear-mean", detach_every=dense[0].detach_every)
    return [network.read_out(result) for network, result in zip(dense, results, strict=True)]
