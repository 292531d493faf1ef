"""What the papers report, and the machinery that measures it. Importing ``bench`` or ``bench.papers.registry`` imports
no torch.
"""

import lightning_modules  # noqa: F401  # imported before torch, it says how threads wait

__version__ = "0.1.0"
