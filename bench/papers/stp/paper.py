"""Spiking Neural Networks for Temporal Processing: Status Quo and Future Prospects."""

from bench.spec.table import Paper

PAPER = Paper(
    "stp",
    "Spiking Neural Networks for Temporal Processing: Status Quo and Future Prospects",
    "Ma et al., 2025",
    "arXiv 2502.09449",
    bibtex="""
@article{ma2025stp,
  title = {Spiking Neural Networks for Temporal Processing: Status Quo and Future Prospects},
  author = {Ma, Chenxiang and Chen, Xinyi and Li, Yanchen and Yang, Qu and Wu, Yujie and Li, Guoqi and Pan, Gang and
            Tang, Huajin and Tan, Kay Chen and Wu, Jibin},
  journal = {arXiv preprint arXiv:2502.09449},
  year = {2025},
  eprint = {2502.09449},
  archiveprefix = {arXiv},
}
""",
)
