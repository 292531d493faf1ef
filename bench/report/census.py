"""Computes the facts that need a built network or the data, and keeps them in ``results/facts.csv``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from bench.papers.registry import MODELS, TABLES, TASKS
from bench.report import facts, terms
from bench.report.facts import Question
from bench.spec.experiment import Experiment
from datamodules import census, sources
from lightning_modules import networks
from lightning_modules.networks.base import neuron_of


def _network(question: Question) -> str:
    task, model = question.subject.split("/")
    config = Experiment(TASKS[task], MODELS[model], 0, "paper").config
    if question.fact in ("parameters", "te"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = networks.build(config)
        if question.of == facts.WHOLE:
            return str(sum(p.numel() for p in network.parameters() if p.requires_grad))
        if question.fact == "parameters":
            return str(network.parameter_count)
        te = next(p for name, p in network.named_parameters() if name.endswith(".te"))
        return f"N({te.mean():.2f}, {te.std():.2f})"
    name, settings = config["neuron"]["name"], {k: v for k, v in config["neuron"].items() if k != "name"}
    return terms.setting(question.of, getattr(neuron_of(name, settings)[1], question.of.removeprefix("neuron.")))


def compute(questions: Iterable[Question]) -> dict[Question, str]:
    """Answers; data sets that are not here are left out, and each is read once. Raises ``DataError`` for one that is
    damaged.
    """
    counted: dict[str, dict[str, Any]] = {}
    found = {}
    for question in sorted(questions):
        if question.fact not in facts.COUNTED:
            found[question] = _network(question)
        elif not sources.missing(question.subject):
            if question.subject not in counted:
                counted[question.subject] = census.count(question.subject)
            found[question] = counted[question.subject][question.fact]
    return found


def update(fresh: bool = True) -> dict[Question, str]:
    """Bring facts.csv up to date and return it. Lines of data that is not here stay; those of old recipes go.

    Without ``fresh`` only what is not there yet is computed.
    """
    asked = facts.all_questions(TABLES)
    known = {question: value for question, value in facts.read().items() if question in asked}
    known |= compute(asked if fresh else asked - set(known))
    facts.save(known)
    return known


def differing() -> list[str]:
    """What facts.csv says otherwise than the code and the data that is here, or lacks."""
    known, asked = facts.read(), facts.all_questions(TABLES)
    found = compute(asked)
    wrong = [q for q, value in found.items() if known.get(q) != value] + [q for q in known if q not in asked]
    return [
        f"{q.fact} {q.of} of {q.subject}: {known.get(q, 'nothing')}, now {found.get(q, 'not asked')}" for q in wrong
    ]
