"""What a plug-in computes enters the version of its experiments: a changed equation makes old results stale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import paths, plan
from bench.ledger import new_lines, store
from bench.ledger.validity import valid
from bench.measures import ACCURACY, MEASURES
from bench.measures.operations import NEURONS as COUNTED
from bench.papers import registry
from bench.report import facts
from bench.report.verdict import find_result
from bench.spec import neuron_identity
from bench.spec.experiment import Experiment
from lightning_modules.neurons import NEURONS
from lightning_modules.scan.operations import count
from lightning_modules.scan.trace import trace
from tests.plugins.conftest import EXAMPLE, NAME, Load

STEP = "x, y = c * x - s * y + current, s * x + c * y"
READER = (
    "from bench.spec.measure import Measure\nSHARE = 0.5  # a comment\ndef share(trained):\n    return SHARE\n"
    'def half(trained, protocol):\n    """Half."""\n    return share(trained)\n'
    'HALF = Measure("half", "%", "half of it", reader=f"{__name__}:half")\n'
)
DATA = (
    "from bench.spec.own import DataSet\nfrom bench.spec.task import Task\nfrom datamodules.sources import Source\n"
    "from .made import made\n"
    'DATA = DataSet(Source("sixes", "Sixes"), made)\nTASK = Task("sixes", "Sixes", "sixes", (2, 6))\n'
)
MADE = "SIZE = 6\ndef made():\n    return {}, SIZE\n"


def experiment(model: str = NAME, task: str = "xor") -> Experiment:
    return Experiment(registry.TASKS[task], registry.MODELS[model], 0, "laptop")


def versions(load: Load, text: str) -> str:
    load(text)
    return experiment().versions


def test_a_changed_equation_default_or_initial_value_has_another_version(load: Load) -> None:
    first = versions(load, EXAMPLE)
    assert first.startswith("task=1 leaky-readout=1 resonate-and-fire=")
    changes = [
        (STEP, STEP.replace("- s * y", "+ s * y")),
        ("damping: float = 0.05", "damping: float = 0.06"),
        ("torch.sin(self.omega)", "torch.sin(2 * self.omega)"),
        ("uniform_(self.config.lowest", "uniform_(2 * self.config.lowest"),
        ('surrogate: str = "multi_gaussian"', 'surrogate: str = "rect"'),
    ]
    for old, new in changes:
        assert old in EXAMPLE
        assert versions(load, EXAMPLE.replace(old, new)) != first, new


def test_comments_format_and_names_of_variables_do_not_change_the_version(load: Load) -> None:
    first = versions(load, EXAMPLE)
    text = EXAMPLE.replace(
        STEP, "new_x, new_y = (\n            c * x - s * y + current,\n            s * x + c * y,\n        )  # turn"
    )
    text = text.replace("H(y[t] - threshold)", "H(y - threshold)").replace("spike(y -", "spike(new_y -")
    text = text.replace("self.State(x, y, o), o", "self.State(new_x, new_y, o), o")
    text = text.replace('("float", 0.01, 0.3)', '("float", 0.02, 0.3)')
    assert text.count("new_x") == 2
    assert versions(load, text) == first


def test_a_count_of_parameters_is_that_of_the_present_equation(load: Load) -> None:
    load(EXAMPLE)
    first = facts.network_question("parameters", "", registry.TASKS["xor"], registry.MODELS[NAME])
    load(EXAMPLE.replace("torch.empty(size)", "torch.empty(1)"))
    assert facts.network_question("parameters", "", registry.TASKS["xor"], registry.MODELS[NAME]) != first


def test_a_branch_that_only_other_settings_take_is_in_their_version_alone(load: Load) -> None:
    soft = EXAMPLE.replace(
        "y = state.y * (1.0 - state.o) + state.o",
        "y = state.y * (1.0 - state.o) + (state.o if self.config.highest > 0.5 else 0.0)",
    )
    branched = soft.replace("else 0.0", "else 0.1 * state.o")
    assert versions(load, soft) == versions(load, branched)
    low = 'neuron="resonate-and-fire", settings={"highest": 0.4})'
    soft, branched = (text.replace('neuron="resonate-and-fire")', low) for text in (soft, branched))
    assert versions(load, soft) != versions(load, branched)


def test_a_step_that_cannot_be_traced_has_the_version_of_its_source(load: Load) -> None:
    loop = EXAMPLE.replace("o = spike(", "y = y if y.sum() > -1e9 else x\n        o = spike(")
    first = versions(load, loop)
    assert first != versions(load, EXAMPLE)
    assert versions(load, loop.replace("-1e9", "-1e8")) != first
    load(loop)
    about = neuron_identity.about(NAME, "bench_plugins.mine", "ResonateAndFire", {})
    assert about["macs"] is None


def test_what_was_traced_is_kept_in_the_home(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    first = versions(load, EXAMPLE)
    monkeypatch.setattr(neuron_identity, "_traced", lambda *_: pytest.fail("traced again"))
    assert versions(load, EXAMPLE) == first
    assert list((paths.home() / "plugins").glob("*.json"))


def test_the_line_of_a_changed_equation_is_stale_and_its_experiment_is_planned_again(load: Load) -> None:
    load(EXAMPLE)
    table = registry.TABLES["roles-6"]
    (cell,) = plan.select(table, [NAME], ["XOR"])
    (line,) = new_lines.new_lines(experiment(), (ACCURACY,), "ok", "")
    store.append(
        [replace(line, value=90.0, protocol=protocol, epochs=10, n_test=100) for protocol in ("last", "best_test")]
    )
    assert plan.make([("roles-6", cell)], "laptop", 1, store.read()).done == 1
    found = find_result(table, cell, store.read())
    assert (found.status, found.value, found.verdict.split(",")[0]) == ("measured", 90.0, "own")
    load(EXAMPLE.replace("+ state.o", "+ 0.5 * state.o"))
    (cell,) = plan.select(registry.TABLES["roles-6"], [NAME], ["XOR"])
    assert find_result(table, cell, store.read()).status == "stale"
    made = plan.make([("roles-6", cell)], "laptop", 1, store.read())
    assert (made.done, len(made.jobs)) == (0, 1)


def test_the_code_of_a_measure_is_in_its_version(load: Load) -> None:
    def version(text: str) -> str:
        load(text)
        return experiment("lif").version(MEASURES["half"])

    first = version(READER)
    assert " half=1-" in first
    assert version(READER.replace("  # a comment", "").replace('    """Half."""\n', "")) == first
    assert version(READER + "OTHER = 3\n") == first
    assert version(READER.replace("0.5", "0.25")) != first
    assert version(READER.replace("return SHARE", "return 2 * SHARE")) != first


def test_the_code_of_a_data_set_is_in_its_hash_with_what_it_uses_of_other_files(load: Load, tmp_path: Path) -> None:
    def data_hash(made: str) -> str:
        (tmp_path / "user" / "own_task").mkdir(exist_ok=True)
        (tmp_path / "user" / "own_task" / "made.py").write_text(made)
        load(DATA, "own_task/__init__.py")
        return Experiment(registry.TASKS["sixes"], registry.MODELS["lif"], 0, "paper").data_hash

    first = data_hash(MADE)
    assert data_hash(f"# a comment\n{MADE}") == first
    assert data_hash(MADE.replace("6", "7")) != first


def test_results_of_the_suites_own_parts_keep_their_versions_beside_a_plug_in(load: Load) -> None:
    before = [(e.id, e.version(ACCURACY)) for e in (experiment("lif"), experiment("lif-recurrent", "mnist"))]
    load(EXAMPLE)
    assert [(e.id, e.version(ACCURACY)) for e in (experiment("lif"), experiment("lif-recurrent", "mnist"))] == before
    line = next(line for line in store.read(paths.COMMITTED, ["mnist"]) if line.status == "ok")
    assert any(
        valid(line, Experiment(registry.TASKS["mnist"], m, line.seed, line.budget), MEASURES[line.measure])
        for m in registry.MODELS.values()
        if m.name == line.model
    )


@pytest.mark.parametrize("name", ["lif", "plif", "ltmd", "glif", "alif", "celif"])
def test_operations_in_a_traced_step_are_those_that_the_paper_counts(name: str) -> None:
    neuron = NEURONS[name](3)
    assert count(trace(neuron, neuron.drive(2), torch.float32)) == COUNTED[name]


def test_the_example_is_fused_and_its_operations_are_counted(load: Load) -> None:
    from lightning_modules.scan import scan

    load(EXAMPLE)
    neuron = NEURONS[NAME](5)
    assert count(trace(neuron, neuron.drive(2), torch.float32)) == (3, 4)
    current = torch.rand(30, 4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    results = []
    for backend in ("loop", "cpu"):
        output = scan(neuron, current, backend=backend).output
        results.append((output, *torch.autograd.grad(output.sum(), [current, neuron.omega])))
    assert torch.equal(results[0][0], results[1][0]) and 0 < results[0][0].mean().item() < 1
    for fused, loop in zip(results[1][1:], results[0][1:], strict=True):
        torch.testing.assert_close(fused, loop, rtol=1e-5, atol=1e-5)
