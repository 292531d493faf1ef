"""Networks of LIF neurons and leaky readouts as NIR graphs (Pedersen et al. 2024, Neuromorphic Intermediate
Representation; package ``nir``).

NIR describes neurons by differential equations, and this suite by time steps. Forward Euler with the step ``dt`` leads
from one to the other:

    tau dv/dt = v_leak - v + r I      becomes      v[t] = (1 - dt/tau) v[t-1] + dt/tau r I[t]      with v_leak = 0

So a leak k is tau = dt / (1 - k), and r = tau/dt where the current enters whole, or 1 where it is scaled by 1 - k. A
neuron spikes where v > v_threshold. Then v becomes v_reset = 0 before the next step, which is the hard reset.

- LIF with reset "hard" is a node ``LIF``, or ``IF`` with r = 1/dt for k = 1.
- LIF with reset "none" is ``LI`` (``I`` for k = 1), then ``Threshold``. NIR's own ``LIF`` always resets.
- A leaky readout is ``LI``. A linear readout is ``Affine``; the graph gives its output at every step.
- Recurrence is ``Linear`` (``Affine`` with a bias) from the neurons to themselves. It acts one step later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.networks.base import Network
from lightning_modules.networks.dense import Dense, Layer
from lightning_modules.neurons import Neuron
from lightning_modules.neurons.leaky_readout import LeakyReadout
from lightning_modules.neurons.lif import LIF

if TYPE_CHECKING:
    import nir

RESETS = ("hard", "none")
ALLOWED = "NIR export takes fully connected networks of lif with reset hard or none, and leaky or linear readouts"
DISCRETISATION = (
    "forward Euler: v[t] = v[t-1] + dt/tau (v_leak - v[t-1] + r I[t]); a spike where v[t] > v_threshold, then v[t] ="
    " v_reset; recurrent edges act one step later; all states start at 0"
)


class _Graph:
    """Nodes and edges while they are collected; ``end`` is the node that the next one is fed by."""

    def __init__(self, inputs: int, dt: float) -> None:
        import nir

        self.nir = nir
        self.dt = dt
        self.nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array([inputs]))}
        self.edges: list[tuple[str, str]] = []
        self.end = "input"

    def add(self, name: str, node: Any) -> None:
        """Put ``node`` behind the last one."""
        self.nodes[name] = node
        self.edges.append((self.end, name))
        self.end = name

    def add_layer(self, name: str, layer: Layer) -> None:
        """A projection, its neurons and their recurrence."""
        self.add(f"{name}_weights", self.linear(layer.linear.weight, layer.linear.bias))
        first = self.add_neurons(name, layer.neuron)
        if layer.recurrent is not None:
            self.nodes[f"{name}_recurrent"] = self.linear(layer.recurrent, layer.recurrent_bias)
            self.edges += [(self.end, f"{name}_recurrent"), (f"{name}_recurrent", first)]

    def add_neurons(self, name: str, neuron: Neuron) -> str:
        """The neurons of a layer. Returns the node that takes their current."""
        leak, gain = _leak_and_gain(neuron)
        if not isinstance(neuron, LIF):
            self.add(name, self.membrane(leak, gain))
            return name
        threshold = _doubles(torch.full((neuron.size,), neuron.config.threshold))
        if neuron.config.reset == "hard":
            self.add(name, self.membrane(leak, gain, threshold))
            return name
        self.add(f"{name}_membrane", self.membrane(leak, gain))
        self.add(name, self.nir.Threshold(threshold=threshold))
        return f"{name}_membrane"

    def linear(self, weight: Tensor, bias: Tensor | None) -> Any:
        if bias is None:
            return self.nir.Linear(weight=_array(weight))
        return self.nir.Affine(weight=_array(weight), bias=_array(bias))

    def membrane(self, leak: np.ndarray, gain: np.ndarray, threshold: np.ndarray | None = None) -> Any:
        """The node with v[t] = leak v[t-1] + gain I[t], spiking where there is a ``threshold``; all [N]."""
        nir = self.nir
        if (leak == 1.0).all():
            r = gain / self.dt
            return nir.I(r=r) if threshold is None else nir.IF(r=r, v_threshold=threshold, v_reset=0 * threshold)
        if (leak == 1.0).any():
            raise ValueError("a layer has neurons without leak (k = 1) among others: NIR has no node for both")
        tau = self.dt / (1.0 - leak)
        settings = {"tau": tau, "r": gain * tau / self.dt, "v_leak": 0.0 * tau}
        if threshold is None:
            return nir.LI(**settings)
        return nir.LIF(**settings, v_threshold=threshold, v_reset=0.0 * threshold)


def graph_of(
    network: Network, dt: float = 1e-4, zero_start: bool = False, metadata: Mapping[str, str] | None = None
) -> nir.NIRGraph:
    """The NIR graph of ``network``, with time steps of ``dt`` seconds. Its metadata has ``metadata``, dt and the rule
    above.

    The equality is that of the step's arithmetic: a reader that rounds otherwise may move a spike at the threshold.
    Raises ``ValueError`` for a network that NIR cannot express, and for one with random states at the start unless
    ``zero_start`` lets them start at 0; ``ModuleNotFoundError`` without the package nir.
    """
    if not 0.0 < dt < math.inf:
        raise ValueError(f"dt is a time in seconds above 0, got {dt}")
    dense = _expressible(network, zero_start)
    graph = _Graph(dense.stack[0].linear.in_features, dt)
    for number, layer in enumerate(dense.stack, start=1):
        graph.add_layer(f"layer{number}", layer)
    if dense.head is not None:
        graph.add("readout", graph.linear(dense.head.weight, dense.head.bias))
    outputs = dense.stack[-1].neuron.size if dense.head is None else dense.head.out_features
    graph.add("output", graph.nir.Output(output_type=np.array([outputs])))
    about = {"dt": repr(dt), "discretisation": DISCRETISATION, "readout": dense.readout, **(metadata or {})}
    return graph.nir.NIRGraph(nodes=graph.nodes, edges=graph.edges, metadata=about)


def _expressible(network: Network, zero_start: bool) -> Dense:
    """``network``, of which every part has a node in NIR. Raises ``ValueError`` for the first that has none."""
    if not isinstance(network, Dense):
        raise ValueError(f"{ALLOWED}, not the network {type(network).__name__}")
    for number, layer in enumerate(network.stack, start=1):
        neuron = layer.neuron
        if type(neuron) not in (LIF, LeakyReadout):
            raise ValueError(f"{ALLOWED}; layer {number} is {neuron.name}")
        if isinstance(neuron, LIF) and neuron.config.reset not in RESETS:
            raise ValueError(f"{ALLOWED}; layer {number} has reset {neuron.config.reset}")
    if network.start != "own" and not zero_start:
        raise ValueError(
            "every state of this network starts at a random value, and NIR has no place for it. With zero_start"
            " (--zero-start) the graph starts at 0, and its spikes differ from this suite's"
        )
    return network


def _leak_and_gain(neuron: Neuron) -> tuple[np.ndarray, np.ndarray]:
    """Factors on the membrane and on the current in one step, [N] each: the numbers in float32 that ``step`` uses."""
    with torch.no_grad():
        drive = neuron.drive(1)
    if isinstance(neuron, LeakyReadout):
        return _doubles(drive["a"]), _doubles(1.0 - drive["a"])
    config = neuron.config
    leak = drive["k"] if config.learn_leak else torch.tensor(config.leak).expand(neuron.size)
    scaled = 1.0 - drive["k"] if config.learn_leak else torch.tensor(1.0 - config.leak).expand(neuron.size)
    return _doubles(leak), _doubles(scaled if config.scale_input else torch.ones(neuron.size))


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def _doubles(values: Tensor) -> np.ndarray:
    """In float64, so that tau and r give the step's float32 numbers back."""
    return _array(values).astype(np.float64)
