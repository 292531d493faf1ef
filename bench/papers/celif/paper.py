"""Unleashing the Potential of Spiking Neural Networks for Sequential Modeling with Contextual Embedding."""

from bench.spec.table import Paper

PAPER = Paper(
    "celif",
    "Unleashing the Potential of Spiking Neural Networks for Sequential Modeling with Contextual Embedding",
    "Chen et al., 2023",
    "arXiv 2308.15150",
)
