"""How far back in time the gradient reaches (celif Figure 6): |dL/dS| of the last hidden layer at every step.

Measure ``gradient-reach``: the share of |dL/dS| on the first 10 steps, in which copy memory presents its digits, over
256 training samples. The derivative is total: it includes paths through later states and recurrence. Absolute values
are summed over neurons and divided, for each sample, by their sum over all steps (the paper sums signed values, which
can cancel). For an LSTM, S is the hidden state. Series: ``t`` (from 0), ``share``, which sums to 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.measures.subset import training_batches
from bench.training.trained import NotApplicable, Reading, Trained
from lightning_modules import scan
from lightning_modules.networks.dense import Dense
from lightning_modules.networks.rnn import RNN
from lightning_modules.spiking import SpikingModule


def hidden_gradient(module: SpikingModule, x: Any, target: Tensor) -> Tensor:
    """Total derivative [T, B, N] of the loss with respect to the outputs of the last hidden layer.

    Raises ``NotApplicable`` for a network without a hidden layer, and for one whose last hidden layer is not a layer of
    neurons over time.
    """
    network = module.network
    if isinstance(network, Dense):
        hidden = network.stack if network.head is not None else network.stack[:-1]
        if not hidden:
            raise NotApplicable("a network without a hidden layer")
        probe = torch.zeros(x.shape[0], x.shape[1], hidden[-1].neuron.size, device=module.device, requires_grad=True)
        if network.head is not None:
            output = network.read_out(network.run(x, probe=probe))
        else:
            spikes = scan.scan_stack(
                [layer.spec for layer in hidden], x, detach_every=network.detach_every, probe=probe
            ).output
            assert spikes is not None
            last = scan.scan_stack([network.stack[-1].spec], spikes, detach_every=network.detach_every).output
            assert last is not None
            output = last
    elif isinstance(network, RNN):
        width = int(network.cells[-1].hidden_size)  # type: ignore[arg-type]
        probe = torch.zeros(x.shape[0], x.shape[1], width, device=module.device, requires_grad=True)
        output = network.read_out(network.hidden(x, probe))
    else:
        raise NotApplicable(f"the last hidden layer of a {type(network).__name__} is no layer of neurons over time")
    loss, _ = module.objective(output, target, **module.loss_settings)
    (gradient,) = torch.autograd.grad(loss, probe)
    return gradient


def gradient_reach(trained: Trained, protocol: str, samples: int = 256, early: int = 10) -> Reading:
    """Share of the gradient on the first ``early`` steps, over ``samples`` training samples.

    Raises ``NotApplicable`` as ``hidden_gradient`` does, and ``ValueError`` if the gradient is zero everywhere.
    """
    module = trained.module(protocol)
    shares = []
    for x, target in training_batches(trained, module, samples):
        size = hidden_gradient(module, x, target).abs().sum(2).double()
        size = size[:, size.sum(0) > 0]
        shares.append(size / size.sum(0))
    share = torch.cat(shares, 1)
    if not share.shape[1]:
        raise ValueError("the gradient is zero at every step of every sample")
    profile = share.mean(1)
    return Reading(float(profile[:early].sum()), series={"t": list(range(len(profile))), "share": profile.tolist()})
