"""The suite from Python: ``from bench import api``. docs/python.md has examples. Loads torch when it is needed.

Batches and results are tensors with time first, [T, B, N]: steps, samples, inputs or neurons.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench
from bench import paths, plan
from bench.errors import BenchError, unknown
from bench.ledger import provenance, store
from bench.papers.registry import MODELS, TASKS, find_model
from bench.report.csv_table import to_csv
from bench.report.findings import find_results
from bench.spec.experiment import Experiment
from datamodules.sources import SOURCES

if TYPE_CHECKING:
    import nir
    import pandas as pd
    from torch import Tensor

    from bench.training.trained import Trained
    from lightning_modules.networks import Network
    from lightning_modules.neurons import Neuron
    from lightning_modules.scan import Scanned

NUMBERS = ("published", "measured", "difference", "ci_low", "ci_high")
COUNTS = ("n", "epochs_min", "epochs", "params")


def table(name: str) -> pd.DataFrame:
    """The table ``name`` as it stands in the ledger, one row a cell: columns and numbers are those of its CSV.

    Numbers are float64 with NaN, counts Int64 with NA, texts "" where there is nothing. ``seeds`` is a tuple. There are
    two columns more: ``data_kind`` (full, near-complete, subset, stand-in) and ``extra`` (not in the published table).
    Raises ``BenchError`` for an unknown name.
    """
    import pandas as pd

    declared = plan.find_table(name)
    findings = find_results(declared, store.read())
    frame = pd.read_csv(io.StringIO(to_csv(declared, findings)), dtype=str, keep_default_na=False)
    for column in NUMBERS:
        frame[column] = pd.to_numeric(frame[column].replace("", None)).astype("float64")
    for column in COUNTS:
        frame[column] = pd.to_numeric(frame[column].replace("", None)).astype("Int64")
    frame["seeds"] = [tuple(int(seed) for seed in text.split()) for text in frame["seeds"]]
    frame["data_kind"] = [SOURCES[data].kind if data in SOURCES else "" for data in frame["data"]]
    frame["extra"] = [finding.cell.extra for finding in findings]
    return frame


class TrainedNetwork:
    """A network with its trained weights, in eval mode, on the GPU if there is one. ``trained`` makes it.

    ``network`` is the torch module, ``protocol`` the epoch of its weights; ``weights`` has those of all protocols.
    """

    def __init__(self, weights: Trained, protocol: str) -> None:
        if protocol not in weights.states:
            raise unknown(f"protocol of {weights.experiment}", protocol, weights.states)
        self.weights = weights
        self.protocol = protocol
        self.module = weights.module(protocol)

    def __repr__(self) -> str:
        names = f"{self.experiment}, {self.protocol}, {self.weights.params:,} parameters"
        return f"<TrainedNetwork {names}, weights {self.sha256[:12]}>"

    @property
    def experiment(self) -> Experiment:
        """What was trained: ``experiment.config`` has all settings, ``experiment.sources`` where they come from."""
        return self.weights.experiment

    @property
    def network(self) -> Network:
        return self.module.network

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record an epoch: loss and accuracy on the test set, spike rate."""
        return self.weights.history

    @property
    def sha256(self) -> str:
        """Of the weights after the last epoch, as in the ledger."""
        return self.weights.sha256

    def test_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Input [T, B, N] and targets of every test batch. Raises ``DataError`` if the data set is missing."""
        from bench.measures import evaluation

        yield from evaluation.batches(self.module, self.weights.data("test"), dense=True)  # type: ignore[misc]

    def output(self, batch: Any) -> Tensor:
        """The network's output, [T, B, classes]; T = 1 where the readout averages over time or takes the last step."""
        import torch

        with torch.no_grad():
            return self.network(self._input(batch))

    def scores(self, batch: Any) -> Tensor:
        """What the class is chosen by, [B, classes] ([B, T, classes] with a class at every step); in regression the
        predicted numbers [B].
        """
        from lightning_modules import objectives

        return objectives.scores(self.experiment.config["loss"], self.output(batch), **self.module.loss_settings)

    def predict(self, batch: Any) -> Tensor:
        """The predicted class of each sample, [B] ([B, T] with a class at every step); in regression the number."""
        scores = self.scores(batch)
        return scores if scores.dim() == 1 else scores.argmax(-1)

    def spikes(self, batch: Any) -> list[Tensor]:
        """Spikes of each hidden layer of spiking neurons, 0 or 1, [T, B, N]. Empty for a network without spikes."""
        import torch

        if not any(neuron.spiking for neuron in self.network.neurons):
            return []
        with torch.no_grad():
            try:
                return self.network.hidden_spikes(self._input(batch))
            except ValueError as error:
                raise BenchError(str(error)) from None

    def accuracy(self) -> float:
        """Accuracy on the whole test set in %, as in the ledger."""
        from bench.measures import evaluation

        return evaluation.accuracy(self.module, self.weights.data("test"))[0]

    def _input(self, batch: Any) -> Tensor:
        """``batch`` as a tensor on the network's device. Raises ``BenchError`` for another shape than [T, B, N]."""
        import torch

        x = torch.as_tensor(batch, dtype=torch.float32, device=self.module.device)
        inputs = self.experiment.config["layers"][0]
        if x.dim() < 3 or x.shape[2] != inputs or 0 in x.shape:
            raise BenchError(f"a batch is [T, B, {inputs}], steps first, then samples and inputs; got {list(x.shape)}")
        return x


def trained(
    table: str,
    row: str,
    column: str,
    *,
    seed: int = 0,
    budget: str = "laptop",
    protocol: str | None = None,
    train: bool = False,
    results: str | Path | None = None,
) -> TrainedNetwork:
    """The trained network of a cell. ``protocol`` is by default that which the table shows.

    With ``train=True`` an experiment without weights is trained first, as ``python -m bench run`` does it: the ledger
    has its lines then, and the seeds before ``seed`` are trained, too. ``results`` is another ledger's folder, as
    ``--results``. Raises ``BenchError`` for unknown names, and where there are no weights.
    """
    experiment = plan.find_experiment(table, row, column, seed, budget)
    arguments = ["run", table, "--row", row, "--column", column, "--budget", budget, "--seeds", str(seed + 1)]
    folder = None if results is None else Path(results).expanduser().resolve()
    with paths.using(folder, folder and folder / ".bench"):
        weights = _load(experiment)
        if weights is None:
            _require_training(experiment, arguments, folder, train)
            reason = _run(arguments, folder)
            weights = _load(experiment)
            if weights is None:
                raise BenchError(f"{experiment} was not trained: {reason}")
    reported = plan.find_table(table).protocol
    return TrainedNetwork(weights, protocol or (reported if reported in weights.states else "last"))


def _load(experiment: Experiment) -> Trained | None:
    from bench.training import trained as weights

    return weights.load(experiment) if plan.weights_here(experiment) else None


def _require_training(experiment: Experiment, arguments: list[str], folder: Path | None, train: bool) -> None:
    """Raise ``BenchError``, naming what to do, unless the experiment may be trained and ``run`` would do it."""
    command = shlex.join(["python", "-m", "bench", *arguments])
    lines = store.read(paths.ledger(experiment.budget), only=[experiment.task.name])
    measured = [line for line in lines if line.experiment == experiment.id and line.status == "ok"]
    absent = f"{paths.home()} has no weights of {experiment} (experiment {experiment.id})"
    if measured:
        raise BenchError(
            f"{absent}: they were trained in another home (sha256 {measured[-1].checkpoint_sha256[:12]}). Import them"
            " (python -m bench weights import FILE), or train them again into a new results folder: train=True,"
            f" results=DIR, or {command} --results DIR"
        )
    if not train:
        place = "" if folder is None else f" --results {shlex.quote(str(folder))}"
        raise BenchError(f"{absent}. Train it with train=True or: {command}{place}")


def _run(arguments: list[str], folder: Path | None) -> str:
    """Run ``python -m bench``, showing what it prints on standard error; its last line."""
    packages = filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(packages)}
    place = [] if folder is None else ["--results", str(folder)]
    command = [sys.executable, "-P", "-m", "bench", *arguments, *place]
    last = ""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                print(line, end="", file=sys.stderr, flush=True)
                last = line.strip() or last
        except KeyboardInterrupt:  # a notebook interrupts its own process alone
            process.terminate()
            process.wait()
            raise
    return last


def neuron(name: str, size: int, **settings: Any) -> Neuron:
    """A layer of ``size`` neurons of the kind ``name`` ("lif", "celif", …). ``settings`` are fields of its ``Config``.

    Raises ``BenchError``, naming what is known, for another name or setting.
    """
    from lightning_modules.networks.base import neuron_of
    from lightning_modules.neurons import NEURONS

    if name not in NEURONS:
        raise unknown("neuron", name, sorted(NEURONS))
    try:
        kind, config = neuron_of(name, settings)
        return kind(size, config)
    except ValueError as error:
        raise BenchError(str(error)) from None


def scan(neuron: Neuron, *currents: Tensor, **options: Any) -> Scanned:
    """Run a layer of neurons over currents [T, B, N] with fused kernels; gradients flow.

    ``neuron`` is one of the suite or your own subclass of ``Neuron``. ``lightning_modules.scan.scan`` describes
    ``options``, such as ``record=("u",)``, and the result: ``output`` [T, B, N], ``state`` and ``recorded``.
    """
    from lightning_modules.scan import scan as run

    return run(neuron, *currents, **options)


def export_weights(network: TrainedNetwork, path: str | Path) -> None:
    """Write weights of all protocols and their description to a safetensors file. Raises ``BenchError``."""
    from bench.training import weights_file

    weights_file.export(network.weights, Path(path))


def import_weights(path: str | Path) -> TrainedNetwork:
    """Take weights from a file of ``export_weights`` into this home: they serve like weights that were trained here.

    Raises ``BenchError``, and takes nothing, for a file that is damaged or of no experiment of this suite, and where
    this home has other weights of the experiment.
    """
    from bench.training import trained as training
    from bench.training import weights_file

    weights, environment = weights_file.read(Path(path).expanduser(), _experiment_named)
    experiment = weights.experiment
    present = _load(experiment)
    if present is not None and present.sha256 != weights.sha256:
        folder = training.folder(experiment)
        raise BenchError(
            f"{path}: {folder} has other weights of {experiment} (sha256 {present.sha256[:12]}, in the file"
            f" {weights.sha256[:12]}); move that folder away to import these"
        )
    if present is None:
        if environment:
            with paths.using(results=paths.ledger(experiment.budget)):
                provenance.add([environment.get(column, "") for column in provenance.COLUMNS])
        try:
            training.write(weights)
        except (OSError, RuntimeError) as error:
            raise BenchError(f"cannot write weights below {paths.home()} ({error})") from None
    return TrainedNetwork(weights, "best_test" if "best_test" in weights.states else "last")


def _experiment_named(task: str, model: str, seed: int, budget: str) -> Experiment:
    if task not in TASKS:
        raise unknown("task", task, TASKS, "python -m bench list tasks")
    try:
        return Experiment(TASKS[task], find_model(model), seed, budget)
    except KeyError:
        raise unknown("model", model, MODELS, "python -m bench list models") from None


def export_nir(
    network: TrainedNetwork, path: str | Path, *, dt: float = 1e-4, zero_start: bool = False
) -> nir.NIRGraph:
    """Write a network of LIF neurons and leaky or linear readouts as a NIR graph, and return it.

    ``lightning_modules.nir_graph`` says how neurons are mapped; ``dt`` is the length of a step in seconds. A network
    that starts with random states needs ``zero_start=True``. Raises ``BenchError`` for what NIR cannot express, and
    without the package nir.
    """
    from bench.training import weights_file
    from lightning_modules.nir_graph import graph_of

    experiment = network.experiment
    about = {
        "suite": f"spiking-sequence-benchmarks {bench.__version__}",
        "experiment": experiment.id,
        "name": str(experiment),
        "protocol": network.protocol,
        "sha256": network.sha256,
        "decision": json.dumps({"loss": experiment.config["loss"], **experiment.config["loss_settings"]}),
    }
    content = io.BytesIO()
    try:
        graph = graph_of(network.network, dt, zero_start, about)
        import nir

        nir.write(content, graph)
    except ValueError as error:
        raise BenchError(f"{experiment}: {error}") from None
    except ModuleNotFoundError:
        raise BenchError("NIR export needs the package nir: pip install nir") from None
    weights_file.write(Path(path), content.getvalue())
    return graph
