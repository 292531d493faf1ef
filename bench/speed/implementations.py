"""Training steps of a workload by each implementation: the suite, the plain loop, SpikingJelly, snnTorch, the floor."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from bench.speed.workloads import Workload
    from lightning_modules.neurons import Neuron

Step = Callable[[], Any]


def training_step(implementation: str, work: Workload, steps: int, batch: int) -> Step:
    """A function that takes one training step on ``batch`` samples of ``steps`` time steps.

    A training step is forward, cross entropy of the mean output, backward, Adam, and rewiring where the workload has
    it. The floor and workloads of neurons alone take parts of it.
    """
    shape = (steps, batch, work.layers[0])
    x = torch.rand(shape) if work.density is None else (torch.rand(shape) < work.density).float()
    if implementation == "floor":
        return matrix_products(work, x)
    if not work.projected:
        return neurons_only(implementation, work, x)
    network: nn.Module
    if work.delays:
        network = lsnn(work, "auto" if implementation == "ours" else "loop")
    elif implementation in ("ours", "loop"):
        network = SuiteNetwork(work, "auto" if implementation == "ours" else "loop")
    else:
        network = {"spikingjelly": SpikingJelly, "snntorch": SnnTorch}[implementation](work, steps)
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)
    target = torch.randint(work.layers[-1], (batch,))

    rewiring = getattr(network, "rewiring", None)

    def step() -> None:
        optimiser.zero_grad()
        functional.cross_entropy(network(x).view(batch, -1), target).backward()
        optimiser.step()
        if rewiring is not None:
            rewiring.constrain(1e-4)

    return step


def build_neuron(work: Workload, size: int, te: nn.Parameter | None = None) -> Any:
    """A layer of ``size`` neurons of the workload, with the temporal embedding ``te`` if it is shared by the layers."""
    from lightning_modules.neurons import NEURONS

    settings = dict(work.settings)
    if work.neuron in ("celif", "glif"):
        settings["steps"] = work.steps
    module, _, name = work.neuron.rpartition(":")
    kind = getattr(import_module(module), name) if module else NEURONS[work.neuron]
    shared = () if te is None else (te,)
    return kind(size, kind.Config(**settings), *shared)


def lsnn(work: Workload, backend: str) -> nn.Module:
    """The network of LSNN, whose synapses have delays, on the ``backend`` of the scan."""
    from lightning_modules.networks.lsnn import LSNNNetwork

    settings = dict(work.settings)
    network = LSNNNetwork(
        work.layers, work.neuron, settings, delays=work.delays, connectivity=work.connectivity, last=2
    )
    network.backend = backend
    return network


class SuiteNetwork(nn.Module):
    """This suite's network, with fused kernels (``backend`` "auto") or on the plain loop ("loop")."""

    def __init__(self, work: Workload, backend: str) -> None:
        super().__init__()
        from lightning_modules.neurons.celif import temporal_embedding

        self.work = work
        self.backend = backend
        pairs = list(zip(work.layers[:-1], work.layers[1:], strict=True))
        hidden = pairs[:-1] if work.linear_readout else pairs
        te = temporal_embedding(max(work.layers[1:-1]), work.steps) if work.neuron == "celif" else None
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in hidden)
        self.neurons = nn.ModuleList(build_neuron(work, b, te) for _, b in hidden)
        self.recurrences = nn.ModuleDict({str(i): nn.Linear(hidden[i][1], hidden[i][1]) for i in work.recurrent})
        self.readout = nn.Linear(*pairs[-1]) if work.linear_readout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        from lightning_modules.scan import Dense, scan_stack

        layers = []
        for i, (linear, neuron) in enumerate(
            cast("list[tuple[nn.Linear, Neuron]]", list(zip(self.linears, self.neurons, strict=True)))
        ):
            recurrence = cast("nn.Linear | None", dict(self.recurrences).get(str(i)))
            recurrent = (None, None) if recurrence is None else (recurrence.weight, recurrence.bias)
            layers.append(Dense(neuron, linear.weight, linear.bias, *recurrent))
        every = self.work.checkpoint_every
        result = scan_stack(layers, x, output=False, checkpoint_every=every, backend=self.backend)
        return self.readout(result.means[-1])


def neurons_only(implementation: str, work: Workload, x: Tensor) -> Step:
    """Forward and backward of the neurons of one layer, with ``x`` [T, B, N] as their current."""
    from lightning_modules.scan import scan

    neuron = build_neuron(work, work.layers[-1])
    current = (x - 0.3).requires_grad_()
    incoming = torch.randn_like(x)
    backend = "auto" if implementation == "ours" else "loop"

    def step() -> None:
        torch.autograd.grad(scan(neuron, current, backend=backend).output, [current, *neuron.parameters()], incoming)

    return step


class OnePixelMaps(nn.Module):
    """A layer of neurons for feature maps, which gets maps of one pixel."""

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, x: Tensor) -> Tensor:
        return self.unit(x[..., None, None])[..., 0, 0]


class SpikingJelly(nn.Module):
    """Multi-step layers of SpikingJelly 2."""

    def __init__(self, work: Workload, steps: int) -> None:
        super().__init__()
        from spikingjelly.activation_based import layer, neuron, surrogate

        hard = {"decay_input": False, "v_threshold": 0.3, "v_reset": 0.0, "surrogate_function": surrogate.ATan()}

        def unit(size: int) -> nn.Module:
            if work.neuron == "glif":
                return OnePixelMaps(neuron.GatedLIFNode(steps, inplane=size, surrogate_function=surrogate.ATan()))
            if dict(work.settings).get("learn_leak"):
                return neuron.ParametricLIFNode(init_tau=2.0, step_mode="m", **hard)
            return neuron.LIFNode(tau=1.0 / 0.7, step_mode="m", **hard)

        pairs = list(zip(work.layers[:-1], work.layers[1:], strict=True))
        parts: list[nn.Module] = []
        for i, (a, b) in enumerate(pairs):
            parts.append(layer.Linear(a, b, step_mode="m"))
            if work.linear_readout and i == len(pairs) - 1:
                break
            if i in work.recurrent:
                single = neuron.LIFNode(tau=1.0 / 0.7, step_mode="s", **hard)
                parts.append(layer.LinearRecurrentContainer(single, b, b, step_mode="m"))
            else:
                parts.append(unit(b))
        self.net = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        from spikingjelly.activation_based import functional as jelly

        jelly.reset_net(self.net)
        return self.net(x).mean(0)


class SnnTorch(nn.Module):
    """Neurons of snnTorch 1 in its own loop over time. Each projection is one product over all steps."""

    def __init__(self, work: Workload, steps: int) -> None:
        super().__init__()
        import snntorch
        from snntorch import surrogate

        pairs = list(zip(work.layers[:-1], work.layers[1:], strict=True))
        common = {"threshold": 0.3, "reset_mechanism": "zero", "spike_grad": surrogate.atan()}
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)

        def unit(layer: int, size: int) -> nn.Module:
            if layer in work.recurrent:
                return snntorch.RLeaky(beta=0.3, linear_features=size, all_to_all=True, **common)
            if dict(work.settings).get("learn_leak"):
                return snntorch.Leaky(beta=torch.full((size,), 0.7), learn_beta=True, **common)
            return snntorch.Leaky(beta=0.3, learn_beta=False, **common)

        self.units = nn.ModuleList(unit(i, b) for i, (_, b) in enumerate(pairs))

    def forward(self, x: Tensor) -> Tensor:
        for linear, unit in zip(self.linears, self.units, strict=True):
            unit = cast(Any, unit)
            recurrent = hasattr(unit, "recurrent")
            state = unit.init_rleaky() if recurrent else (unit.init_leaky(),)
            outputs = []
            for current in linear(x).unbind(0):
                spikes, *rest = unit(current, *state)
                state = (spikes, *rest) if recurrent else tuple(rest)
                outputs.append(spikes)
            x = torch.stack(outputs)
        return x.mean(0)


def matrix_products(work: Workload, x: Tensor) -> Step:
    """The floor: the matrix products of a training step, with one write of the spikes and states and nothing else. All
    buffers exist before the step.
    """
    rows = x.shape[0] * x.shape[1]
    pairs = list(zip(work.layers[:-1], work.layers[1:], strict=True))
    hidden = len(pairs) - work.linear_readout  # a readout of mean spikes is a single small product
    pairs = pairs[:hidden]
    flat = [x.reshape(rows, -1), *(torch.rand(rows, b) for _, b in pairs)]
    weights = [torch.rand(b, a) for a, b in pairs]
    square = {i: torch.rand(pairs[i][1], pairs[i][1]) for i in work.recurrent}
    states = [torch.rand(rows, b) for _, b in pairs]
    sums = [torch.empty_like(w) for w in weights]
    below = [torch.empty(rows, a) for a, _ in pairs]

    def step() -> None:
        with torch.no_grad():
            for i, weight in enumerate(weights):
                torch.mm(flat[i], weight.t(), out=states[i])
                if i in square:
                    torch.mm(flat[i + 1], square[i].t(), out=states[i])
                flat[i + 1].fill_(0.5)  # the spikes; the products below read them and the states
            for i in range(len(weights) - 1, -1, -1):
                torch.mm(states[i].t(), flat[i], out=sums[i])
                if i:
                    torch.mm(states[i], weights[i], out=below[i])
                if i in square:
                    torch.mm(states[i], square[i], out=flat[i + 1])
                    torch.mm(states[i].t(), flat[i + 1])

    return step
