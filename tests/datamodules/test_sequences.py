"""Sequential MNIST, the adding problem and copy memory are what the celif paper describes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bench.papers.celif.models import CELIF_154K
from bench.papers.celif.tasks import PS_MNIST, SEQ_MNIST
from bench.spec.experiment import Experiment
from datamodules.memory_tasks import Adding, CopyMemory
from datamodules.sequential_mnist import SequentialMNIST, crossings, order, windows
from datamodules.sources import Source
from lightning_modules.spiking import SpikingModule
from tests.datamodules.test_data import tiny_mnist  # noqa: F401


def images(**settings) -> SequentialMNIST:
    data = SequentialMNIST(batch_size=25, seed=3, **settings)
    data.setup()
    return data


def test_seq_mnist_shows_one_pixel_a_step_in_row_major_order(tiny_mnist: Source) -> None:  # noqa: F811
    data = images()
    x, y = next(iter(data.test_batches()))
    assert x.shape == (784, 20, 1) and x.is_contiguous()
    pixels, labels = data.sets["t10k"]
    assert torch.equal(x[:, :, 0].t(), pixels.float() / 255) and torch.equal(y, labels)


def test_the_permutation_of_the_lab_s_code_is_the_same_for_training_and_test(tiny_mnist: Source) -> None:  # noqa: F811
    assert order(1234)[:10].tolist() == [529, 511, 328, 133, 532, 378, 156, 305, 143, 582]
    plain = images()
    permuted = images(permutation=1234)
    for split in ("train_batches", "test_batches"):
        arguments = ((lambda: 0),) if split == "train_batches" else ()
        (a, y), (b, z) = (next(iter(getattr(data, split)(*arguments))) for data in (plain, permuted))
        assert torch.equal(a[order(1234)], b) and torch.equal(y, z)


def test_each_permutation_has_its_own_data_hash_and_order() -> None:
    seq = Experiment(SEQ_MNIST, CELIF_154K, 0, "paper")
    ps = Experiment(PS_MNIST, CELIF_154K, 0, "paper")
    others = [Experiment(PS_MNIST, CELIF_154K, 0, "paper", (("data_settings.permutation", seed),)) for seed in (1, 2)]
    assert len({e.data_hash for e in (seq, ps, *others)}) == 4
    assert len({tuple(order(seed)) for seed in (None, 1234, 1, 2)}) == 4


@pytest.mark.parametrize(
    "permutation",
    [[0] * 784, list(range(783)), list(range(1, 785)), [*range(783), 783.5], "1234", True, 1.5, -1],
    ids=[
        "one number",
        "too short",
        "out of range",
        "no whole number",
        "text",
        "truth value",
        "fraction",
        "negative seed",
    ],
)
def test_what_is_no_permutation_is_refused(permutation: object) -> None:
    with pytest.raises(ValueError, match="permutation"):
        SequentialMNIST(8, 0, permutation=permutation)  # type: ignore[arg-type]


def test_a_permutation_of_one_s_own_is_taken() -> None:
    own = list(range(783, -1, -1))
    assert order(own).tolist() == own


def test_lsnn_s_code_has_79_lines_and_a_cue_and_spikes_one_step_before_a_rise() -> None:
    pixels = torch.zeros(2, 784, dtype=torch.uint8)
    pixels[0, 5:7] = 255  # above all levels at steps 5 and 6
    pixels[1, 9] = 128  # levels 0 .. 19 of 39 are at most 128/255
    x = crossings(pixels)
    assert x.shape == (840, 2, 80) and set(x.unique().tolist()) == {0.0, 1.0}
    spikes = {step: x[step, 0].nonzero().flatten().tolist() for step in range(784)}
    assert {step: lines for step, lines in spikes.items() if lines} == {
        4: list(range(1, 39)),  # nothing is below level 0, so that it is never crossed
        5: [78],
        6: [*range(40, 78), 78],
    }
    assert x[8, 1].nonzero().flatten().tolist() == list(range(1, 20))
    assert x[9, 1].nonzero().flatten().tolist() == list(range(40, 59))
    assert torch.equal(x[:, :, 79], (torch.arange(840) >= 784).float()[:, None].expand(840, 2))


def test_a_pixel_at_a_level_has_crossed_it() -> None:
    pixels = torch.zeros(1, 784, dtype=torch.uint8)
    pixels[0, 3] = 85  # 85/255 = 13/39
    x = crossings(pixels)
    assert x[2, 0].nonzero().flatten().tolist() == list(range(1, 14))
    assert x[3, 0].nonzero().flatten().tolist() == list(range(40, 53))


def test_windows_slide_by_one_pixel_and_stay_at_the_end() -> None:
    x = torch.arange(784.0).reshape(784, 1, 1)
    w = windows(x, 8)
    assert w.shape == (784, 1, 8)
    assert w[3, 0].tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert w[776, 0].tolist() == w[783, 0].tolist() == list(range(776, 784))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coding": "rate"}, "pixels, lsnn"),
        ({"scale": "log"}, "unit, bipolar, standard, binary"),
        ({"window": 0}, "1 to 784 pixels"),
        ({"coding": "lsnn", "window": 4}, "do not go with it"),
    ],
)
def test_unknown_codings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequentialMNIST(8, 0, **settings)


def test_scales_are_those_of_the_public_codes(tiny_mnist: Source) -> None:  # noqa: F811
    unit = next(iter(images().test_batches()))[0]
    assert torch.allclose(next(iter(images(scale="bipolar").test_batches()))[0], 2 * unit - 1)
    assert torch.allclose(next(iter(images(scale="standard").test_batches()))[0], (unit - 0.1307) / 0.3081)
    assert torch.equal(next(iter(images(scale="binary").test_batches()))[0], (unit > 0.1).float())


@pytest.mark.parametrize("steps", [2, 3, 100])
def test_adding_marks_two_different_steps_anywhere_and_asks_for_their_sum(steps: int) -> None:
    x, y = Adding(8, 0, steps=steps).generate(4000, np.random.default_rng(0))
    values = x[..., 0]
    marks = x[..., 1]
    assert x.dtype == torch.float32 and x.shape == (steps, 4000, 2)
    assert (marks.sum(0) == 2).all() and set(marks.unique().tolist()) <= {0.0, 1.0}
    assert torch.allclose((values * marks).sum(0), y)
    assert float(values.min()) >= 0 and float(values.max()) < 1
    share = marks.mean(1) * steps / 2
    assert float((share - 1).abs().max()) < 8 * math.sqrt(steps / 8000), "every step as often as every other"
    assert float(((y - 1) ** 2).mean()) == pytest.approx(1 / 6, abs=0.015), "the baseline: always saying 1"


@pytest.mark.parametrize("delay", [1, 100])
def test_copy_memory_shows_ten_digits_a_gap_and_ten_nines(delay: int) -> None:
    x, y = CopyMemory(8, 0, delay=delay).generate(500, np.random.default_rng(0))
    assert x.shape == (delay + 20, 500, 10) and y.shape == (500, delay + 20)
    digits = x.argmax(-1)
    assert (x.sum(-1) == 1).all()
    assert digits[:10].unique().tolist() == list(range(1, 9))
    assert not digits[10:-10].any() and (digits[-10:] == 9).all()
    assert not y[:, :-10].any() and torch.equal(y[:, -10:].t(), digits[:10])


def test_the_baseline_of_copy_memory_is_ten_ln_8_over_its_steps() -> None:
    _, y = CopyMemory(8, 0, delay=100).generate(50, np.random.default_rng(0))
    logits = torch.full((120, 50, 10), -1e9)
    logits[:110, :, 0] = 0
    logits[110:, :, 1:9] = 0
    from lightning_modules.objectives import step_ce

    assert float(step_ce(logits, y)[0]) == pytest.approx(10 * math.log(8) / 120) == pytest.approx(0.1733, abs=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adding(8, 0, steps=1), "at least 2, got 1"),
        (lambda: CopyMemory(8, 0, delay=0), "at least 1 step, got 0"),
    ],
)
def test_sequences_too_short_for_the_task_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", [Adding, CopyMemory])
def test_generated_batches_are_fresh_by_epoch_equal_by_seed_and_the_test_set_stays(kind) -> None:
    def first(seed: int, epoch: int) -> torch.Tensor:
        return next(iter(kind(4, seed, batches=2, test=6).train_batches(lambda: epoch)))[0]

    assert torch.equal(first(0, 0), first(0, 0))
    assert not torch.equal(first(0, 0), first(0, 1)) and not torch.equal(first(0, 0), first(1, 0))
    (a, b), (c, d) = (list(kind(size, seed, test=6).test_batches()) for size, seed in ((4, 0), (3, 1)))
    assert torch.equal(torch.cat([a[0], b[0]], 1), torch.cat([c[0], d[0]], 1)) and torch.equal(
        torch.cat([a[1], b[1]]), torch.cat([c[1], d[1]])
    )


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 4, 1), (5, 1, 1)], ids=["one step, one sample", "one step", "one sample"]
)
def test_one_step_and_one_sample_are_enough(shape: tuple[int, int, int]) -> None:
    module = SpikingModule(Experiment(SEQ_MNIST, CELIF_154K, 0, "paper").config)
    loss, scores = module.objective(module(torch.rand(shape)), torch.zeros(shape[1], dtype=torch.long))
    loss.backward()
    assert scores.shape == (shape[1], 10) and bool(torch.isfinite(loss))


def test_a_sequence_longer_than_the_temporal_embedding_names_both_lengths() -> None:
    module = SpikingModule(Experiment(SEQ_MNIST, CELIF_154K, 0, "paper").config)
    with pytest.raises(ValueError, match="784 columns, the input 785 steps"):
        module(torch.rand(785, 2, 1))


@pytest.mark.parametrize("settings", [{}, {"coding": "lsnn"}, {"window": 4}])
def test_a_data_set_knows_the_steps_of_its_samples(tiny_mnist: Source, settings: dict) -> None:  # noqa: F811
    data = images(**settings)
    x, _ = next(iter(data.test_batches()))
    assert data.steps == x.shape[0]
    copy = CopyMemory(batch_size=2, seed=0, delay=7)
    x, _ = next(iter(copy.test_batches()))
    assert copy.steps == x.shape[0] == 27
