"""A network that is exported as NIR gives the same spikes where NIR's own definitions are followed."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bench import api
from bench.__main__ import cli
from bench.errors import BenchError
from lightning_modules import networks
from lightning_modules.networks.dense import Dense
from lightning_modules.nir_graph import graph_of
from lightning_modules.scan import scan_dense
from tests.bench.conftest import XOR_CELL

SPIKING = (nir.LIF, nir.IF, nir.Threshold)
F = np.float32


def reaches(graph: nir.NIRGraph, start: str, end: str) -> bool:
    following = [b for a, b in graph.edges if a == start]
    seen: set[str] = set()
    while following:
        node = following.pop()
        if node == end:
            return True
        if node not in seen:
            seen.add(node)
            following += [b for a, b in graph.edges if a == node]
    return False


class Interpreter:
    """NIR's equations by forward Euler, in NumPy. Spikes that come back to their neuron do so one step later."""

    def __init__(self, graph: nir.NIRGraph) -> None:
        self.nodes = graph.nodes
        self.dt = float(graph.metadata["dt"])
        self.late = {(a, b) for a, b in graph.edges if isinstance(graph.nodes[a], SPIKING) and reaches(graph, b, a)}
        self.sources = {name: [a for a, b in graph.edges if b == name] for name in graph.nodes}
        prompt = {n: [a for a in sources if (a, n) not in self.late] for n, sources in self.sources.items()}
        self.order = list(TopologicalSorter(prompt).static_order())

    def run(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Output of every node over time, [T, B, N]."""
        self.v: dict[str, Any] = {}
        before: dict[str, np.ndarray] = {}
        steps = []
        for at_t in x.astype(F):
            now: dict[str, np.ndarray] = {}
            for name in self.order:
                taken = [
                    before.get(a, np.zeros((len(at_t), *self.nodes[a].output_type["output"]), F))
                    if (a, name) in self.late
                    else now[a]
                    for a in self.sources[name]
                ]
                now[name] = self.step(name, self.nodes[name], sum(taken) if taken else at_t)
            before = now
            steps.append(now)
        return {name: np.stack([step[name] for step in steps]) for name in self.order}

    def step(self, name: str, node: Any, value: np.ndarray) -> np.ndarray:
        if isinstance(node, nir.Input | nir.Output):
            return value
        if isinstance(node, nir.Affine):
            return value @ node.weight.T + node.bias
        if isinstance(node, nir.Linear):
            return value @ node.weight.T
        if isinstance(node, nir.Threshold):
            return (value > F(node.threshold)).astype(F)
        v = self.v.get(name, F(0))
        if isinstance(node, nir.I | nir.IF):  # dv/dt = r I
            v = v + F(self.dt * node.r) * value
        else:  # tau dv/dt = v_leak - v + r I
            rate = self.dt / node.tau
            v = F(1 - rate) * v + F(rate * node.r) * value + F(rate * node.v_leak)
        if isinstance(node, nir.LI | nir.I):
            self.v[name] = v
            return v
        z = v > F(node.v_threshold)
        self.v[name] = np.where(z, F(node.v_reset), v)
        return z.astype(F)


def network(settings: dict[str, Any], seed: int = 0, **options: Any) -> Dense:
    """5-24-16-3 with weights that are multiples of 1/64: sums are exact in any order."""
    torch.manual_seed(seed)
    built = Dense([5, 24, 16, 3], "lif", {"threshold": 0.4, **settings}, **options).eval()
    with torch.no_grad():
        for layer in built.stack:
            own = (layer.linear.weight, layer.linear.bias, layer.recurrent, layer.recurrent_bias)
            for parameter in own:
                if parameter is not None:
                    parameter.copy_((parameter * 128).round() / 64)
    return built


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "hard reset": ({"leak": 0.9}, {}),
    "hard reset, current scaled": ({"leak": 0.7, "scale_input": True, "threshold": 0.1}, {}),
    "complete leakage": ({"leak": 0.0}, {}),
    "no leakage": ({"leak": 1.0}, {}),
    "no reset": ({"leak": 0.9, "reset": "none"}, {}),
    "no reset, no leakage": ({"leak": 1.0, "reset": "none"}, {}),
    "learned leaks, leaky readout": (
        {"learn_leak": True, "scale_input": True, "threshold": 0.1},
        {"readout": "leaky-readout"},
    ),
    "recurrent": ({"leak": 0.8}, {"recurrent": True}),
    "recurrent with a bias, no reset": (
        {"leak": 0.8, "reset": "none"},
        {"recurrent": True, "recurrent_bias": True, "readout": "leaky-readout"},
    ),
    "linear readout": ({"leak": 0.9}, {"readout": "linear"}),
}


def layer_outputs(exported: Dense, x: torch.Tensor) -> list[np.ndarray]:
    """Output of every layer of neurons, [T, B, N], by the plain loop, which needs no compiling."""
    outputs = []
    for layer in exported.stack:
        weights = (layer.linear.weight, layer.linear.bias)
        recurrence = {"recurrent": layer.recurrent, "recurrent_bias": layer.recurrent_bias}
        with torch.no_grad():
            x = scan_dense(layer.neuron, x, *weights, **recurrence, backend="loop").output
        outputs.append(x.numpy())
    return outputs


@pytest.mark.parametrize("case", CASES)
def test_an_exported_network_read_back_gives_every_spike_again(tmp_path: Path, case: str) -> None:
    settings, options = CASES[case]
    exported = network(settings, **options)
    nir.write(tmp_path / "network.nir", graph_of(exported))
    x = np.random.default_rng(1).random((60, 7, 5)) < 0.4
    outputs = Interpreter(nir.read(tmp_path / "network.nir")).run(x)
    expected = layer_outputs(exported, torch.tensor(x, dtype=torch.float32))
    for number, (layer, values) in enumerate(zip(exported.stack, expected, strict=True), start=1):
        if layer.neuron.spiking:
            assert 0.005 < values.mean() < 0.995
            np.testing.assert_array_equal(outputs[f"layer{number}"], values)
        else:
            np.testing.assert_allclose(outputs[f"layer{number}"], values, rtol=1e-4, atol=1e-6)
    last = f"layer{len(expected)}"
    if exported.head is None:
        np.testing.assert_array_equal(outputs["output"], outputs[last])
    else:
        linear = expected[-1] @ exported.head.weight.detach().numpy().T + exported.head.bias.detach().numpy()
        np.testing.assert_allclose(outputs["output"], linear, rtol=1e-4, atol=1e-6)


def test_the_length_of_a_step_changes_time_constants_and_no_spike(tmp_path: Path) -> None:
    exported = network({"leak": 0.75})
    x = np.random.default_rng(1).random((40, 3, 5)) < 0.4
    graphs = [graph_of(exported, dt=dt) for dt in (1e-4, 1e-3)]
    first, second = (Interpreter(graph).run(x)["output"] for graph in graphs)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(graphs[1].nodes["layer1"].tau, 4e-3)  # dt / (1 - k)
    np.testing.assert_allclose(graphs[1].nodes["layer1"].r, 4.0)  # tau / dt


def refused() -> Iterator[tuple[Any, str]]:
    yield lambda: network({"reset": "soft"}), "layer 1 has reset soft"
    yield lambda: network({"reset": "subtract"}), "layer 1 has reset subtract"
    yield lambda: Dense([5, 4, 3], "celif", {}), "layer 1 is celif"
    yield lambda: network({}, start="uniform"), "zero_start"
    yield lambda: mixed_leaks(), "k = 1"
    config = {"network": "rnn", "layers": [5, 4, 3], "neuron": {"name": ""}, "readout": "linear-last"}
    settings = {"recurrent": False, "init": "default", "network_settings": {"cell": "lstm"}}
    yield lambda: networks.build(config | settings), "not the network RNN"


def mixed_leaks() -> Dense:
    built = network({"learn_leak": True})
    with torch.no_grad():
        built.stack[0].neuron.tau[0] = 50.0
    return built


@pytest.mark.parametrize(("build", "message"), refused(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_nir_cannot_express_is_refused_with_what_is_allowed(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        graph_of(build())
    if "layer" in message or "network" in message:
        assert "takes fully connected networks of lif with reset hard or none" in str(error.value)


def test_a_trained_network_that_starts_at_random_states_is_exported_on_demand_with_its_origin(
    xor_trained: Path,
) -> None:
    trained = api.trained(*XOR_CELL, budget="smoke")
    file = xor_trained / "xor.nir"
    with pytest.raises(BenchError, match="xor / lif / seed 0 / smoke: every state of this network starts at a random"):
        api.export_nir(trained, file)
    assert not file.exists()
    table, row, column = XOR_CELL
    options = ["--row", row, "--column", column, "--budget", "smoke", "--out", str(file), "--zero-start"]
    done = CliRunner().invoke(cli, ["weights", "nir", table, *options])
    assert done.exit_code == 0, done.stderr
    graph = nir.read(file)
    assert (graph.metadata["experiment"], graph.metadata["sha256"]) == (trained.experiment.id, trained.sha256)
    assert graph.metadata["protocol"] == "best_test"
    x = next(iter(trained.test_batches()))[0][:, :20]
    outputs = Interpreter(graph).run(x.numpy())
    trained.network.start = "own"
    np.testing.assert_array_equal(outputs["layer1"], trained.spikes(x)[0].numpy())
    np.testing.assert_allclose(outputs["output"], trained.output(x).numpy(), rtol=1e-4, atol=1e-6)


def test_without_the_package_the_message_says_how_to_get_it(xor_trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = api.trained(*XOR_CELL, budget="smoke")
    monkeypatch.setitem(__import__("sys").modules, "nir", None)
    with pytest.raises(BenchError, match="needs the package nir: pip install nir"):
        api.export_nir(trained, xor_trained / "xor.nir", zero_start=True)
