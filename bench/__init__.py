"""What the papers report, and the machinery that measures it. Importing ``bench`` or ``bench.papers.registry`` imports
no torch.
"""

__version__ = "0.1.0"
