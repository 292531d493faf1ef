"""Computes the facts that need a built network or the data, and keeps them in ``results/facts.csv``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

import datamodules
from bench.errors import BenchError
from bench.measures import MEASURES, energy
from bench.papers.registry import MODELS, TABLES, TASKS
from bench.report import facts, terms
from bench.report.facts import Question
from bench.spec.experiment import Experiment
from bench.spec.table import COUNTED
from datamodules import census, sources
from lightning_modules import networks
from lightning_modules.networks import Network
from lightning_modules.networks.base import neuron_of


def compute(questions: Iterable[Question]) -> dict[Question, str]:
    """The values of ``questions``, without those about data sets that are missing. Each data set is read once. Raises
    ``DataError`` for a damaged one.
    """
    counts: dict[str, dict[str, Any]] = {}
    values = {}
    questions = sorted(questions)
    of_connections = any(question.fact in facts.CONNECTIONS for question in questions)
    configs = facts.connection_questions(TABLES) if of_connections else {}
    for question in questions:
        if question.fact in facts.CONNECTIONS:
            if value := _connection_value(question.fact, configs[question]):
                values[question] = value
        elif question.fact not in COUNTED:
            values[question] = _network_value(question)
        elif not sources.missing(question.subject):
            if question.subject not in counts:
                counts[question.subject] = census.count(question.subject)
            values[question] = counts[question.subject][question.fact]
    return values


def _network_value(question: Question) -> str:
    task, model = question.subject.split("/")
    config = Experiment(TASKS[task], MODELS[model], 0, "paper").config
    if question.fact == "setting":
        return _default_setting(question.of, config["neuron"])
    if question.fact == "energy":
        return _energy(question.of, config)
    network = _built(config)
    if question.of == facts.WHOLE_NETWORK:
        return str(sum(p.numel() for p in network.parameters() if p.requires_grad))
    if question.fact == "parameters":
        return str(network.parameter_count)
    te = next(p for name, p in network.named_parameters() if name.endswith(".te"))
    return f"N({te.mean():.2f}, {te.std():.2f})"


def _connection_value(fact: str, config: dict[str, Any]) -> str:
    """A value of ``facts.CONNECTIONS``; empty for a network that does not count its operations, or data whose number
    of steps is not known.

    Training keeps the number of connections: where it rewires, a new one replaces each that goes.
    """
    network = _built(config)
    if fact == "connection sparsity":
        return f"{network.connection_sparsity:.4f}"
    data = datamodules.build(config["data"], config["data_settings"], 1, 0)
    steps = getattr(data, "steps", None)
    if steps is None:
        return ""
    try:
        return str(network.dense_operations(steps))
    except NotImplementedError:
        return ""


def _built(config: dict[str, Any]) -> Network:
    """The network of ``config``, with seed 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return networks.build(config)


def _energy(of: str, config: dict[str, Any]) -> str:
    """An energy or a count of operations that needs no training: ``of`` names the measure, the number of time steps and
    then the firing rates of the hidden layers, if any, by which the formulas of celif Table 4 are filled in.
    """
    name, number, *rates = of.split()
    measure = MEASURES[name]
    steps = int(number)
    if rates:
        neuron = config["neuron"]["name"]
        step = energy.by_formula(neuron, config["layers"], [float(rate) for rate in rates], config["recurrent"])
    else:
        network = _built(config)
        if any(neuron.spiking for neuron in network.neurons):
            raise BenchError(f"{name}: the energy of a spiking network depends on its firing rates, and none are given")
        inference = energy.total(network, [], 0.0, steps, True, measure.settings.get("convention", "celif"))
        step = inference.times(1 / steps)
    return f"{energy.value_of(measure, step, steps):.4f}"


def _default_setting(path: str, neuron: dict[str, Any]) -> str:
    """The default of the neuron's setting at ``path``, such as "neuron.threshold"."""
    settings = {name: value for name, value in neuron.items() if name != "name"}
    _, neuron_config = neuron_of(neuron["name"], settings)
    return terms.setting_text(path, getattr(neuron_config, path.removeprefix("neuron.")))


def update(fresh: bool = True) -> dict[Question, str]:
    """Bring facts.csv up to date and return it. Lines about missing data sets stay; those of old recipes go.

    Without ``fresh`` only what facts.csv lacks of cells is computed. Otherwise a damaged file is set aside and made
    again.
    """
    questions = facts.all_questions(TABLES)
    known = facts.read_or_set_aside() if fresh else facts.read()
    values = {question: value for question, value in known.items() if question in questions}
    values |= compute(questions if fresh else facts.cell_questions(TABLES) - values.keys())
    facts.save(values)
    return values


def differing() -> list[str]:
    """The lines of facts.csv that differ from the code and the data, are missing, or belong to no table."""
    values = facts.read()
    questions = facts.all_questions(TABLES)
    computed = compute(questions)
    wrong = [question for question, value in computed.items() if values.get(question) != value]
    wrong += [question for question in values if question not in questions]
    return [
        f"{q.fact} {q.of} of {q.subject}: {values.get(q, 'nothing')}, now {computed.get(q, 'in no table')}"
        for q in wrong
    ]
