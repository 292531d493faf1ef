"""What this paper prints for cells of the celif paper: the same lab measured PS-MNIST again, by another recipe."""

from bench.papers.stp.paper import PAPER
from bench.spec.also_published import AlsoPublished

_RECIPE = "100 epochs, threshold 0.5, another learning rate and a decay every 10 epochs"
_WIDTHS = "hidden layers as here"


def _value(row: str, value: str, note: str, table: str = "celif-1", column: str = "PS-MNIST") -> AlsoPublished:
    return AlsoPublished(PAPER, table, row, column, value, note)


ALSO_PUBLISHED = (
    _value("TCN | Convolution | 70.0k", "95.10", "the same channels; mean over time as output, no dropout, 100 epochs"),
    _value("LIF* | Feedforward | 85.1k", "57.45", f"{_WIDTHS}; no leakage; {_RECIPE}"),
    _value("PLIF* | Feedforward | 85.1k", "55.86", f"{_WIDTHS}; almost no leakage at first; {_RECIPE} [U]"),
    _value("GLIF* | Feedforward | 85.4k", "95.42", f"{_WIDTHS}; {_RECIPE}"),
    _value("CE-LIF (Ours) | Feedforward | 83.5k", "97.76", f"hidden layers 64-90-90 instead of 64-88-88; {_RECIPE}"),
    _value("LIF* | Recurrent | 155.1k", "72.97", f"{_WIDTHS}; {_RECIPE}"),
    _value("ALIF | Recurrent | 156.3k", "85.78", f"{_WIDTHS}; linear readout, threshold 0.3, 100 epochs"),
    _value("PLIF* | Recurrent | 155.1k", "77.32", f"{_WIDTHS}; decay 0.12 at first, cosine schedule, 100 epochs"),
    _value(
        "GLIF* | Recurrent | 157.5k",
        "95.04",
        "hidden layers 36-72-72, parameters per neuron, instead of 64-256-256, parameters per layer; 100 epochs",
    ),
    _value("CE-LIF | Recurrent | 158.3k", "97.66", f"{_WIDTHS}; {_RECIPE}", "celif-3", "P-MNIST"),
)
