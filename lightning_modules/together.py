"""Several trainings at once: each has its own Trainer and thread, and all take every step together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_modules.graphed_step import Capture, GraphedStep
from lightning_modules.networks.seeds import forward_seeds
from lightning_modules.spiking import SpikingModule


@dataclass(frozen=True)
class Part:
    """What a member brings into the common step, from the start of its training on."""

    module: SpikingModule
    optimiser: Optimizer
    clip: float | None
    capture: Capture


class Member:
    """One training of a ``Group``. Called with its batch, it returns the loss after the common step."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.part: Part | None = None
        self.batch: tuple[Tensor, ...] = ()  # that waits for the step
        self.loss: Tensor | None = None
        self.error: Exception | None = None
        self.ended = False

    @property
    def share(self) -> float:
        """Its share of what the group costs."""
        return 1 / len(self.group.members)

    def join(self, part: Part) -> None:
        """Take part in the common steps from now on, with parameters and an optimiser's state as they are now."""
        part.optimiser.step()  # without gradients it does nothing, and its schedule sees that it was called
        self.part = part

    def __call__(self, *batch: Tensor) -> Tensor:
        """Raises what the common step raised."""
        self.batch = batch
        self.group.arrived.notify()
        self.group.taken.wait_for(lambda: not self.batch)
        if self.error is not None:
            raise self.error
        assert self.loss is not None
        return self.loss

    def end(self) -> None:
        """Say that its training has ended; what follows begins when those of the others have ended too."""
        self.ended = True
        self.group.arrived.notify()
        self.group.taken.notify_all()
        self.group.taken.wait_for(lambda: all(member.ended for member in self.group.members))


class Group:
    """Trainings that differ in their seeds and in numbers among their neurons' settings, such as a leak.

    Every one has the results that it has alone, to the last bit.

    Exactly one thread runs at any time. The next one gets its turn where this one waits for the others at its next
    training step, so what the process shares, such as the state of torch's random numbers, is shared by nobody.
    The thread that calls ``run`` takes the steps.
    """

    def __init__(self, count: int) -> None:
        turn = threading.RLock()  # held by whoever runs
        self.arrived = threading.Condition(turn)  # a member has a batch, or has ended
        self.taken = threading.Condition(turn)  # the step was taken, or a member has ended
        self.members = [Member(self) for _ in range(count)]
        self.present: list[Member] = []  # in the last step
        self.step: CommonStep | None = None

    def run(self, trainings: Sequence[Callable[[Member], object]]) -> None:
        """Run a training for each member, each called with its member. Raises the first error that one raised."""
        errors: list[BaseException] = []

        def training(member: Member, train: Callable[[Member], object]) -> None:
            with self.arrived:
                try:
                    train(member)
                except BaseException as error:
                    errors.append(error)
                finally:
                    member.ended = True
                    self.arrived.notify()
                    self.taken.notify_all()

        pairs = zip(self.members, trainings, strict=True)
        threads = [threading.Thread(target=training, args=pair, daemon=True) for pair in pairs]
        with self.arrived:
            for thread in threads:
                thread.start()
            while present := self._wait_for_batches():
                self._take_step(present)
                self.taken.notify_all()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def _wait_for_batches(self) -> list[Member]:
        """Those who train still, once each of them waits for the step."""

        def training() -> list[Member]:
            return [member for member in self.members if not member.ended]

        self.arrived.wait_for(lambda: all(member.batch for member in training()))
        return training()

    def _take_step(self, present: list[Member]) -> None:
        try:
            if self.step is None or present != self.present:
                self.present = present
                self.step = CommonStep([member.part for member in present if member.part is not None])
            losses = self.step(*(tensor for member in present for tensor in member.batch))
            for member, loss in zip(present, losses.unbind(), strict=True):
                member.loss = loss
        except Exception as error:  # each training ends with it, as it would alone
            for member in present:
                member.error = error
        for member in present:
            member.batch = ()


class CommonStep:
    """The step of all ``parts``: takes input and target of each, one after another, and gives the loss of each, [S].

    One optimiser has the parameters of all. It shares state and learning rates with the optimisers of the parts, which
    Lightning saves and schedules. Parameters have a group in common where their trainings have come equally far.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.modules = [part.module for part in parts]
        self.sources: dict[tuple[int, int], dict[str, Any]] = {}  # groups of the parts' own optimisers
        groups: dict[tuple[int, int], dict[str, Any]] = {}
        for part in parts:
            for number, group in enumerate(part.optimiser.param_groups):
                place = part.module.current_epoch, number
                self.sources.setdefault(place, group)
                groups.setdefault(place, {**group, "params": []})["params"] += group["params"]
        kind: Any = type(parts[0].optimiser)
        self.optimiser: Optimizer = kind(list(groups.values()))
        for part in parts:
            for parameter in parameters(part):
                self.optimiser.state[parameter] = part.optimiser.state[parameter]
        seeds = [parameters(part) for part in parts]
        self.step = GraphedStep(self.losses, self.optimiser, parts[0].clip, seeds, parts[0].capture)

    def __call__(self, *batches: Tensor) -> Tensor:
        for group, source in zip(self.optimiser.param_groups, self.sources.values(), strict=True):
            group["lr"] = source["lr"]
        return self.step(*batches)

    def losses(self, *batches: Tensor) -> Tensor:
        outputs = forward_seeds([module.network for module in self.modules], batches[::2])
        triples = zip(self.modules, outputs, batches[1::2], strict=True)
        return torch.stack([module.loss_of_output(output, target) for module, output, target in triples])


def parameters(part: Part) -> list[Tensor]:
    """Those that the optimiser of ``part`` has."""
    return [parameter for group in part.optimiser.param_groups for parameter in group["params"]]
