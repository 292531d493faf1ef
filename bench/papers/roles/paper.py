"""Understanding the Functional Roles of Modelling Components in Spiking Neural Networks."""

from bench.spec.table import Paper

PAPER = Paper(
    "roles",
    "Understanding the Functional Roles of Modelling Components in Spiking Neural Networks",
    "Yin et al., 2024",
    "arXiv 2403.16674; Neuromorph. Comput. Eng. 4 034009",
    bibtex="""
@article{yin2024roles,
  title = {Understanding the Functional Roles of Modelling Components in Spiking Neural Networks},
  author = {Yin, Huifeng and Zheng, Hanle and Mao, Jiayi and Ding, Siyuan and Liu, Xing and Xu, Mingkun and
            Hu, Yifan and Pei, Jing and Deng, Lei},
  journal = {Neuromorphic Computing and Engineering},
  volume = {4},
  number = {3},
  pages = {034009},
  year = {2024},
  doi = {10.1088/2634-4386/ad6cef},
  eprint = {2403.16674},
  archiveprefix = {arXiv},
}
""",
)
