"""Understanding the Functional Roles of Modelling Components in Spiking Neural Networks."""

from bench.spec.table import Paper

PAPER = Paper(
    "roles",
    "Understanding the Functional Roles of Modelling Components in Spiking Neural Networks",
    "Yin et al., 2024",
    "arXiv 2403.16674; Neuromorph. Comput. Eng. 4 034009",
)
