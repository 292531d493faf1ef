"""The celif paper's claims on learning curves, loss landscapes, long delays and gradients: Figures 4, 5, 6 and 8."""

from __future__ import annotations

import math

from bench.measures import GRADIENT_REACH, LANDSCAPE_SMALL, LEARNING_CURVE, LOSS_CURVE
from bench.papers.celif.models import ALIF_REC, CELIF, CELIF_154K, LIF_REC
from bench.papers.celif.models_baselines import LSTM_256, LSTM_256_PLAIN
from bench.papers.celif.tasks import ADDING, COPY, SEQ_MNIST
from bench.spec.claim import Claim, Part, value
from bench.spec.model import Model
from bench.spec.predicates import AtLeast, AtMost, Descending, Highest, WithinFactor
from bench.spec.table import Cell
from bench.spec.task import Task

ADDING_BASELINE = 1 / 6  # loss of a network that always answers 1
FIRST_STEPS = 10  # of GRADIENT_REACH
PLAIN = "The LSTM is torch's own: forget gates start without a bias, and no gradient is clipped."
HELPED = "Helped: forget gates start open, and the gradient is clipped. The paper names neither."


def copy_baseline(delay: int) -> float:
    """Loss of copy memory for a network that answers 0 and then guesses the digits."""
    return 10 * math.log(8) / (delay + 20)


def _half(baseline: float) -> float:
    return round(baseline / 2, 4)


def _losses(task: Task, *models: Model) -> tuple[Cell, ...]:
    return tuple(value(task, model, LOSS_CURVE) for model in models)


def _reach(task: Task, *models: Model) -> tuple[Cell, ...]:
    return tuple(value(task, model, GRADIENT_REACH) for model in models)


def _reach_parts(delay: int, lstm: Model) -> tuple[Part, ...]:
    """Parts of the claims on how much of the gradient reaches the first steps of copy memory."""
    task = COPY[delay]
    even = round(FIRST_STEPS / (delay + 20), 4)
    return (
        Part(Highest(), _reach(task, CELIF, lstm, ALIF_REC), "CE-LIF farthest"),
        Part(AtMost(even), _reach(task, lstm), "LSTM hardly"),
        Part(AtMost(even), _reach(task, ALIF_REC), "ALIF hardly"),
        Part(Highest(), _reach(task, ALIF_REC, lstm), "ALIF farther than LSTM"),
    )


_REACH_READING = (
    "Reach: the share of the gradient on the first ten steps. Hardly [U]: less than an even spread over all steps"
    " would put there."
)

_FIGURE_4 = (
    Claim(
        "celif-converges-ten",
        "Figure 4",
        "CE-LIF converges on Seq-MNIST within ten epochs",
        (Part(AtMost(10), (value(SEQ_MNIST, CELIF_154K, LEARNING_CURVE),)),),
        reading="Converges [U]: its test accuracy is within 1 point of its best. The training must be long enough to"
        " have a plateau.",
        to_the_end=True,
    ),
    Claim(
        "celif-others-hundred",
        "Figure 4",
        "Recurrent LIF and ALIF need more than 100 epochs",
        (
            Part(AtLeast(100), (value(SEQ_MNIST, LIF_REC, LEARNING_CURVE),), "LIF"),
            Part(AtLeast(100), (value(SEQ_MNIST, ALIF_REC, LEARNING_CURVE),), "ALIF"),
        ),
        reading="Need [U]: to come within 1 point of their best test accuracy. The training must be long enough to"
        " have a plateau.",
        to_the_end=True,
    ),
    Claim(
        "celif-smooth-landscape",
        "Figures 4 and 8",
        "CE-LIF's loss landscape is smoother than recurrent LIF's and ALIF's",
        tuple(
            Part(
                Highest(),
                (value(SEQ_MNIST, other, LANDSCAPE_SMALL), value(SEQ_MNIST, CELIF_154K, LANDSCAPE_SMALL)),
                name,
            )
            for name, other in (("LIF", LIF_REC), ("ALIF", ALIF_REC))
        ),
        reading="Smoother [U]: the training loss rises less on circles of radius 0.5 and 1 around the weights, along"
        " filter-normalised random directions. The paper shows pictures and names no measure.",
    ),
)

_ADDING = (
    Claim(
        "celif-adding-converges",
        "Figure 5",
        "CE-LIF converges on the adding problem at T = 100, 200, 500, 800",
        tuple(
            Part(AtMost(_half(ADDING_BASELINE)), _losses(task, CELIF), f"T = {steps}") for steps, task in ADDING.items()
        ),
        reading="Converges [U]: the test loss ends under half of 0.167, which always answering 1 costs.",
    ),
    Claim(
        "celif-adding-order",
        "Figure 5",
        "On the adding problem, LSTM does better than recurrent ALIF; both are inferior to CE-LIF",
        (
            *(
                Part(Descending(), _losses(ADDING[steps], ALIF_REC, LSTM_256_PLAIN, CELIF), f"T = {steps}")
                for steps in (100, 200)
            ),
            *(
                Part(Highest(), _losses(ADDING[steps], model, CELIF), f"T = {steps}, {name}")
                for steps in (500, 800)
                for name, model in (("LSTM", LSTM_256_PLAIN), ("ALIF", ALIF_REC))
            ),
        ),
        reading="Test losses after equally many iterations, from high to low. LSTM and ALIF are compared at T = 100 and"
        f" 200 only, because neither converges at 500 and 800 (celif-adding-long). {PLAIN}",
    ),
    Claim(
        "celif-adding-lstm-short",
        "Figure 5",
        "LSTM reaches an MSE comparable to CE-LIF's at T = 100 and 200, more slowly",
        tuple(
            Part(WithinFactor(2.0), _losses(ADDING[steps], LSTM_256_PLAIN, CELIF), f"T = {steps}")
            for steps in (100, 200)
        ),
        reading=f"Comparable [U]: at most twice CE-LIF's test loss. That it is slower is not judged. {PLAIN}",
    ),
    Claim(
        "celif-adding-long",
        "Figure 5",
        "LSTM and ALIF do not converge on the adding problem at T = 500 and 800",
        tuple(
            Part(AtLeast(_half(ADDING_BASELINE)), _losses(ADDING[steps], model), f"T = {steps}, {name}")
            for steps in (500, 800)
            for name, model in (("LSTM", LSTM_256_PLAIN), ("ALIF", ALIF_REC))
        ),
        reading="Do not converge [U]: after the paper's iterations the test loss is above half of 0.167, which always"
        f" answering 1 costs. {PLAIN}",
        to_the_end=True,
    ),
    Claim(
        "celif-adding-grows",
        "Figure 5",
        "CE-LIF's error on the adding problem rises slightly with T",
        (Part(Descending(), tuple(value(ADDING[steps], CELIF, LOSS_CURVE) for steps in (800, 500, 200, 100))),),
        reading="The order of the four test losses. How much is slight is not judged.",
    ),
)

_COPY = (
    Claim(
        "celif-copy-celif",
        "Figure 5",
        "CE-LIF converges within 5,000 iterations on copy memory at T = 100, 200, 400, 500",
        tuple(
            Part(AtMost(_half(copy_baseline(delay))), _losses(task, CELIF), f"T = {delay}")
            for delay, task in COPY.items()
        ),
        reading="Converges [U]: the test loss ends under half of 10 ln 8 / (T + 20), which guessing the digits costs."
        " The budget is 5,000 iterations.",
    ),
    Claim(
        "celif-copy-others",
        "Figure 5",
        "LSTM and ALIF do not get below the baseline of copy memory even at T = 100",
        tuple(
            Part(AtLeast(round(0.95 * copy_baseline(100), 4)), _losses(COPY[100], model), name)
            for name, model in (("LSTM", LSTM_256_PLAIN), ("ALIF", ALIF_REC))
        ),
        reading=f"Below [U]: under 95 % of 10 ln 8 / 120, which guessing the digits costs. {PLAIN}",
        to_the_end=True,
    ),
    Claim(
        "celif-copy-lstm-helped",
        "Figure 5",
        "A helped LSTM does not get below the baseline of copy memory at T = 100 either",
        (Part(AtLeast(round(0.95 * copy_baseline(100), 4)), _losses(COPY[100], LSTM_256)),),
        source="ours",
        reading=f"Below [U]: under 95 % of 10 ln 8 / 120, which guessing the digits costs. {HELPED}",
    ),
)

_REACH = (
    Claim(
        "celif-gradient-reach",
        "Figure 6",
        "In networks trained on copy memory at T = 400, CE-LIF's gradient reaches the first ten steps, LSTM's and"
        " ALIF's hardly, ALIF's slightly farther than LSTM's",
        _reach_parts(400, LSTM_256_PLAIN),
        reading=f"{_REACH_READING} {PLAIN}",
        to_the_end=True,
    ),
    Claim(
        "celif-gradient-reach-100",
        "Figure 6",
        "The same is true of networks trained on copy memory at T = 100",
        _reach_parts(100, LSTM_256_PLAIN),
        source="ours",
        reading=f"{_REACH_READING} {PLAIN} The paper shows T = 400 only.",
    ),
    Claim(
        "celif-gradient-reach-lstm-helped",
        "Figure 6",
        "A helped LSTM's gradient hardly reaches the first ten steps of copy memory either",
        tuple(Part(Highest(), _reach(COPY[delay], CELIF, LSTM_256), f"T = {delay}") for delay in (400, 100)),
        source="ours",
        reading=f"Hardly: less of the gradient than CE-LIF's is on the first ten steps. {HELPED}",
    ),
)

CLAIMS = (*_FIGURE_4, *_ADDING, *_COPY, *_REACH)
