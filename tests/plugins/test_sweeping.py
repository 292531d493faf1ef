"""Workers, searches and W&B's agents have the plug-ins of the command; a worker with another copy refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bench import paths
from bench.errors import BenchError
from bench.measures import ACCURACY
from bench.papers import registry
from bench.plan import Job, Plan
from bench.spec.experiment import Experiment
from sweeps import trials, wandb_sweeps
from sweeps.queue import Queue
from sweeps.scheduler import Options, Scheduler
from sweeps.search import Subject
from tests.plugins.conftest import EXAMPLE, NAME, Load


def queued(load: Load) -> tuple[Queue, Path]:
    """A queue with one experiment of the example's neuron."""
    file = load(EXAMPLE)
    experiment = Experiment(registry.TASKS["xor"], registry.MODELS[NAME], 0, "laptop")
    queue = Queue()
    queue.enqueue([(Job(experiment, (ACCURACY,), ("roles-6",)), None)])
    return queue, file


def refusals(queue: Queue) -> list[str]:
    attributes = queue.study.trials[0].user_attrs
    return [str(text) for name, text in attributes.items() if name.startswith(trials.REFUSED)]


def test_a_worker_with_the_same_equation_takes_the_experiment(load: Load) -> None:
    queue, _ = queued(load)
    load(f"# another copy\n{EXAMPLE}")
    claim = queue.claim()
    assert claim is not None and claim.job.experiment.model.name == NAME
    claim.lock.close()


def test_a_worker_with_another_copy_refuses_and_names_file_and_hashes(load: Load) -> None:
    queue, file = queued(load)
    there = registry.MODELS[NAME]
    first = Experiment(registry.TASKS["xor"], there, 0, "laptop").versions.rpartition("=")[2]
    load(EXAMPLE.replace("+ state.o", "- state.o"))
    second = Experiment(registry.TASKS["xor"], there, 0, "laptop").versions.rpartition("=")[2]
    assert queue.claim() is None
    (reason,) = refusals(queue)
    assert reason.startswith(
        f"neuron {NAME}: {file} has the hash {second} here, and the experiment was queued with {first}"
    )
    assert queue.study.trials[0].state.name == "WAITING"


def test_a_worker_with_another_recipe_of_the_plug_in_refuses_and_names_its_file(load: Load) -> None:
    queue, file = queued(load)
    load(EXAMPLE.replace('neuron="resonate-and-fire")', 'neuron="resonate-and-fire", recurrent=True)'))
    assert queue.claim() is None
    assert f"another version of {file}" in refusals(queue)[0]


def test_a_worker_without_the_plug_in_refuses_and_names_it(load: Load) -> None:
    queue, file = queued(load)
    load("# nothing\n", "other.py")
    assert queue.claim() is None
    assert refusals(queue) == [f"model {NAME} is of the plug-in {file}, which is not loaded here: --plugin PATH"]


def test_an_experiment_that_is_queued_again_keeps_its_plug_ins(load: Load) -> None:
    queued(load)
    assert "plugins" in trials.USER_KEYS


def test_experiments_of_the_suite_name_no_plug_in(load: Load) -> None:
    load(EXAMPLE)
    experiment = Experiment(registry.TASKS["xor"], registry.MODELS["lif"], 0, "laptop")
    assert "plugins" not in trials.user_attributes(Job(experiment, (ACCURACY,)), {})


def test_a_search_finds_the_model_and_the_space_of_its_neuron(load: Load) -> None:
    load(EXAMPLE)
    subject = Subject.of("xor", NAME, "smoke")
    assert set(subject.space) == {"damping", "threshold"}
    assert subject.recipe == {"damping": 0.05, "threshold": 1.0}


def test_a_sweep_of_wandb_gives_its_agents_the_plug_in(load: Load) -> None:
    file = load(EXAMPLE)
    for text, command in (
        (wandb_sweeps.table_yaml(registry.TABLES["roles-6"]), "run"),
        (wandb_sweeps.search_yaml("xor", NAME, "smoke"), "trial"),
    ):
        sweep = yaml.safe_load(text)
        assert sweep["command"][2:] == ["-m", "sweeps", "wandb", command, "--plugin", str(file), "${args}"]
    assert wandb_sweeps.folder() == paths.results() / "wandb"


def test_an_agent_finds_the_cell_of_an_own_row(load: Load) -> None:
    load(EXAMPLE)
    job = wandb_sweeps.job("roles-6", f"xor/{NAME}", 0, "smoke")
    assert job.measures == (ACCURACY,)


def test_a_run_ends_with_the_reason_when_its_own_workers_refuse_all_that_is_left(load: Load) -> None:
    queue, _ = queued(load)
    job = queue.claim()
    assert job is not None
    job.lock.close()
    scheduler = Scheduler(lambda: Plan(1, 0, (job.job,), (), ()), 0, 1, Options())
    scheduler._receive({"refused": {"another": "no reason"}})
    assert scheduler._plan()
    scheduler._receive({"refused": {job.job.experiment.id: "another version of the plug-in"}})
    with pytest.raises(BenchError, match="another version of the plug-in"):
        scheduler._plan()


def test_a_worker_says_what_it_refuses(load: Load) -> None:
    queue, file = queued(load)
    load("# nothing\n", "other.py")
    queue.claim()
    (reason,) = queue.refusals.values()
    assert str(file) in reason
