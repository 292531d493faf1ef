"""What the check of the kernels for the GPU compares with the loop: every neuron, and every kind of network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules import networks, scan
from lightning_modules.graphed_step import WARMUP, GraphedStep
from lightning_modules.networks.seeds import forward_seeds
from lightning_modules.neurons import NEURONS, Neuron
from lightning_modules.objectives import mean_ce

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}  # of gradients, relative to the largest element
NETWORK_TOLERANCE = 1e-4  # through all layers of a network
CHANGE_TOLERANCE = 1e-2  # of weights in a few training steps
BACKENDS = ("loop", "gpu")
SEEDS = 2
GRAPH_STEPS = WARMUP + 2


@dataclass(frozen=True)
class Sizes:
    """Of the currents of one layer, and of the images of a convolutional network: steps and pixels of a side."""

    steps: int
    batch: int
    size: int
    frames: int
    side: int


FULL = Sizes(50, 37, 70, 4, 16)  # several tiles of batch and neurons, the last ones not full
TINY = Sizes(5, 3, 6, 1, 8)


@dataclass(frozen=True)
class Difference:
    """Between kernels and loop: ``spikes``, the number of differing outputs and states of ``count``; ``gradient``, the
    largest difference relative to the largest element, of gradients or of ``what`` else.
    """

    spikes: int
    count: int
    gradient: float
    tolerance: float
    what: str = "gradients"

    @property
    def problem(self) -> str:
        """What is wrong, empty if nothing is."""
        parts = []
        if self.spikes:
            parts.append(f"{self.spikes} of {self.count} outputs and states differ")
        if not self.gradient <= self.tolerance:  # NaN is a failure too
            parts.append(f"{self.what} differ by {self.gradient:.1e}, {self.tolerance:.0e} is allowed")
        return "; ".join(parts)


def dyadic(*shape: int, scale: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random multiples of 1/16 within +- scale/16: sums of their products with spikes are exact in any order."""
    return (torch.randint(-scale, scale + 1, shape) / 16).to(dtype)


def compare(
    run: Callable[[str], tuple[Sequence[Tensor], Tensor]], tensors: Sequence[Tensor], tolerance: float
) -> Difference:
    """``run(backend)`` gives outputs that must be equal and a loss, whose gradients of ``tensors`` must be close."""
    results = []
    grads = []
    for backend in BACKENDS:
        outputs, loss = run(backend)
        grads.append(torch.autograd.grad(loss, list(tensors), allow_unused=True))
        results.append([output.detach() for output in outputs])
    expected, actual = results
    differing = sum(int(_differs(a, b).sum()) for a, b in zip(actual, expected, strict=True))
    worst = max((_distance(a, b) for a, b in zip(grads[1], grads[0], strict=True)), default=0.0)
    return Difference(differing, sum(out.numel() for out in expected), worst, tolerance)


def _differs(a: Tensor, b: Tensor) -> Tensor:
    return (a != b) & ~(a.isnan() & b.isnan())


def _distance(actual: Tensor | None, expected: Tensor | None) -> float:
    if actual is None and expected is None:
        return 0.0
    if actual is None or expected is None:
        return float("inf")
    return float((actual - expected).abs().max() / expected.abs().max().clamp(min=1e-30))


def weighted(values: Sequence[Tensor]) -> Tensor:
    """A loss that every one of ``values`` reaches, with the same weights for each backend."""
    generator = torch.Generator().manual_seed(7)
    total = values[0].new_zeros(())
    for value in values:
        weights = torch.randn(value.shape, generator=generator, dtype=value.dtype, device="cpu")
        total = total + (value * weights.to(value.device)).sum()
    return total


def neuron_case(name: str, sizes: Sizes, dtype: torch.dtype = torch.float32) -> Difference:
    """Neurons alone, all states recorded, given equal currents."""
    neuron = NEURONS[name](sizes.size).to(dtype)
    shape = (sizes.steps, sizes.batch, sizes.size)
    currents = [torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(neuron.inputs)]

    def run(backend: str) -> tuple[list[Tensor], Tensor]:
        done = scan.scan(neuron, *currents, record=_states(neuron), backend=backend)
        outputs = [done.output, *done.state, *done.recorded.values()]
        return outputs, weighted(outputs)

    return compare(run, [*currents, *neuron.parameters()], TOLERANCE[dtype])


def _states(neuron: Neuron) -> tuple[str, ...]:
    return neuron.State._fields  # type: ignore[attr-defined]


def recurrent_case(
    name: str, sizes: Sizes, detach_every: int | None = None, checkpoint_every: int | None = None
) -> Difference:
    """A recurrent layer on spikes, with weights whose sums are exact."""
    inputs = 5
    neuron = NEURONS[name](sizes.size)
    x = torch.randint(0, 2, (sizes.steps, sizes.batch, inputs)).float().requires_grad_()
    weight = dyadic(sizes.size, inputs, scale=8).requires_grad_()
    recurrent = dyadic(sizes.size, sizes.size, scale=4).requires_grad_()
    bias = dyadic(sizes.size, scale=4).requires_grad_()
    probe = torch.zeros(sizes.steps, sizes.batch, sizes.size, requires_grad=True)

    def run(backend: str) -> tuple[list[Tensor], Tensor]:
        done = scan.scan_dense(
            neuron,
            x,
            weight,
            recurrent=recurrent,
            recurrent_bias=bias,
            probe=probe,
            detach_every=detach_every,
            checkpoint_every=checkpoint_every,
            backend=backend,
        )
        return [done.output, *done.state], weighted([done.output, *done.state])

    return compare(run, [x, weight, recurrent, bias, probe, *neuron.parameters()], TOLERANCE[torch.float32])


# Configurations of each kind of network that has neurons or runs over time; widths follow ``Sizes``
KINDS: dict[str, dict[str, Any]] = {
    "dense": {"network": "dense"},
    "dense-recurrent": {"network": "dense", "recurrent": True, "network_settings": {"recurrent_bias": True}},
    "dense-truncated": {"network": "dense", "recurrent": True, "network_settings": {"detach_every": 3}},
    "dense-drawn-start": {"network": "dense", "network_settings": {"start": "uniform"}},
    "dense-linear-mean": {"network": "dense", "neuron": {"name": "celif"}, "readout": "linear-mean"},
    "lsnn": {
        "network": "lsnn",
        "neuron": {"name": "lsnn"},
        "readout": "filtered-mean",
        "recurrent": True,
        "network_settings": {"delays": 1, "last": 3},
    },
    "lsnn-delays": {
        "network": "lsnn",
        "neuron": {"name": "lsnn"},
        "readout": "filtered-mean",
        "recurrent": True,
        "network_settings": {"delays": 3, "last": 3, "connectivity": 0.5},
    },
    "indrnn": {"network": "indrnn", "neuron": {"name": "indrnn"}, "readout": "linear-last"},
    "resnet18": {"network": "resnet18", "neuron": {"name": "lif"}, "readout": "linear"},
    "rnn": {"network": "rnn", "neuron": {"name": ""}, "readout": "linear-last"},
    "tcn": {"network": "tcn", "neuron": {"name": ""}, "readout": "linear-last"},
}
PLAIN: dict[str, Any] = {"neuron": {"name": "lif"}, "readout": "spiking", "recurrent": False, "init": "default"}


def network_of(kind: str, sizes: Sizes) -> tuple[networks.Network, Tensor]:
    """A network of ``kind`` whose sums over spikes are exact, and an input for it."""
    settings = PLAIN | KINDS[kind]
    if kind == "resnet18":
        steps = sizes.frames
        settings["network_settings"] = {"side": sizes.side}
        layers = [3, 10]
        x = torch.rand(steps, 2, 3, sizes.side, sizes.side)
    else:
        steps = sizes.steps
        layers = [6, sizes.size, 10] if settings["network"] == "lsnn" else [6, sizes.size, sizes.size, 10]
        x = torch.randint(0, 2, (steps, sizes.batch, 6)).float()
    if settings["neuron"]["name"] in ("celif", "glif"):
        settings["neuron"] = settings["neuron"] | {"steps": steps}
    network = networks.build({"layers": layers, **settings})
    if network.neurons and kind != "resnet18":  # its loop and kernels get the same currents: nothing is recurrent
        _round_weights(network)
    return network, x


def _round_weights(network: nn.Module) -> None:
    """Make all weight matrices multiples of 1/16; what belongs to neurons stays."""
    own = {id(p) for m in network.modules() if isinstance(m, Neuron) for p in m.parameters()}
    with torch.no_grad():
        for parameter in network.parameters():
            if id(parameter) not in own:
                parameter.copy_((parameter * 16).round() / 16)


def network_case(kind: str, sizes: Sizes) -> Difference:
    """Output and gradients of a network in training, with torch's deterministic algorithms.

    It is built on the host and moved to torch's default device, as a training does it.
    """
    device = torch.get_default_device()
    with torch.device("cpu"):
        network, x = network_of(kind, sizes)
        return _compare_network(network.to(device), x.to(device))


def _compare_network(network: networks.Network, x: Tensor) -> Difference:
    target = torch.arange(x.shape[1], device=x.device) % 10
    state = {name: value.clone() for name, value in network.state_dict().items()}

    def run(backend: str) -> tuple[list[Tensor], Tensor]:
        network.load_state_dict(state)  # statistics of a normalisation
        torch.manual_seed(1)  # dropout, drawn states
        with scan.using(backend):
            output = network(x)
        loss, _ = mean_ce(output, target)
        return [output], loss

    return compare(run, [p for p in network.parameters() if p.requires_grad], NETWORK_TOLERANCE)


def graph_case(sizes: Sizes) -> Difference:
    """How the weights of several seeds change in a few steps: all in one CUDA graph, against each alone without one."""
    device = torch.get_default_device()
    with torch.device("cpu"):
        pairs = [network_of("dense", sizes) for _ in range(SEEDS)]
        xs = torch.stack([x for _, x in pairs]).to(device)
        together = [network.to(device) for network, _ in pairs]
        alone = copy.deepcopy(together)
        before = [parameter.detach().clone() for parameter in _parameters(together)]
        target = (torch.arange(sizes.batch) % 10).to(device)
        _train_alone(alone, xs, target)
        _train_together(together, xs, target)
    changes = [
        torch.cat([(now - then).flatten() for now, then in zip(_parameters(seeds), before, strict=True)])
        for seeds in (together, alone)
    ]
    distance = (changes[0] - changes[1]).norm() / changes[1].norm()
    return Difference(0, 0, float(distance.detach()), CHANGE_TOLERANCE, "changes of weights")


def _parameters(seeds: Sequence[nn.Module]) -> list[nn.Parameter]:
    return [parameter for network in seeds for parameter in network.parameters()]


def _adam(parameters: Sequence[Tensor]) -> torch.optim.Adam:
    """With an eps that lets small gradients have small steps, whatever their sign."""
    return torch.optim.Adam(parameters, 1e-2, eps=1e-3)


def _train_alone(seeds: Sequence[networks.Network], xs: Tensor, target: Tensor) -> None:
    for network, x in zip(seeds, xs, strict=True):
        optimiser = _adam(list(network.parameters()))
        for step in range(GRAPH_STEPS):
            optimiser.zero_grad()
            with scan.using("gpu"):
                loss, _ = mean_ce(network(x.roll(step, 0)), target)
            loss.backward()
            optimiser.step()


def _train_together(seeds: Sequence[networks.Network], xs: Tensor, target: Tensor) -> None:
    def losses(xs: Tensor) -> Tensor:
        with scan.using("gpu"):
            outputs = forward_seeds(seeds, list(xs))
        return torch.stack([mean_ce(output, target)[0] for output in outputs])

    step = GraphedStep(losses, _adam(_parameters(seeds)))
    for number in range(GRAPH_STEPS):
        step(xs.roll(number, 1))


def cases(sizes: Sizes) -> dict[str, Callable[[], Difference]]:
    """Every case by its name."""
    named: dict[str, Callable[[], Difference]] = {}
    for name, neuron in sorted(NEURONS.items()):
        named[name] = _case(neuron_case, name, sizes)
        if neuron.inputs == 1 and neuron.spiking:  # sums over other outputs depend on their order
            named[f"{name}, recurrent"] = _case(recurrent_case, name, sizes)
    for name in ("lif", "celif", "alif"):
        named[f"{name}, float64"] = _case(neuron_case, name, sizes, torch.float64)
    for name in ("lif", "celif"):
        every = max(2, sizes.steps // 7)
        named[f"{name}, recurrent, truncated"] = _case(recurrent_case, name, sizes, every)
        named[f"{name}, recurrent, checkpointed"] = _case(recurrent_case, name, sizes, None, every + 1)
        named[f"{name}, recurrent, truncated and checkpointed"] = _case(recurrent_case, name, sizes, every, every + 1)
    for kind in KINDS:
        named[f"network {kind}"] = _case(network_case, kind, sizes)
    named["graph of several seeds"] = _case(graph_case, sizes)
    return named


def _case(function: Callable[..., Difference], *arguments: Any) -> Callable[[], Difference]:
    return lambda: function(*arguments)
