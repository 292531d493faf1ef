"""Unleashing the Potential of Spiking Neural Networks for Sequential Modeling with Contextual Embedding."""

from bench.spec.table import Paper

PAPER = Paper(
    "celif",
    "Unleashing the Potential of Spiking Neural Networks for Sequential Modeling with Contextual Embedding",
    "Chen et al., 2023",
    "arXiv 2308.15150",
    bibtex="""
@article{chen2023celif,
  title = {Unleashing the Potential of Spiking Neural Networks for Sequential Modeling with Contextual Embedding},
  author = {Chen, Xinyi and Wu, Jibin and Tang, Huajin and Ren, Qinyuan and Tan, Kay Chen},
  journal = {arXiv preprint arXiv:2308.15150},
  year = {2023},
  eprint = {2308.15150},
  archiveprefix = {arXiv},
}
""",
)
