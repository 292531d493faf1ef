"""The libraries that compute, as torch and NumPy describe them: columns of ``results/environments.csv``."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import torch

from bench.ledger import provenance


def device() -> str:
    """Name of the GPU that trains, "cpu" without one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


@cache
def libraries() -> dict[str, str]:
    """Values of ``provenance.LIBRARIES``; those of CUDA are empty without a GPU."""
    built = torch.__config__.show()
    found = {
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "blas": blas(built),
        "onednn": _first(r"(?:MKL-DNN|oneDNN) v([\w.]+)", built),
        "numpy-blas": _numpy_blas(),
    }
    if torch.cuda.is_available():
        found["cuda"] = torch.version.cuda or ""
        found["cudnn"] = str(torch.backends.cudnn.version() or "")
        found["cuda-driver"] = provenance.cuda_driver()
    return found


def blas(built: str) -> str:
    """Name and, for MKL, version of torch's BLAS, from the text ``torch.__config__.show()``."""
    if mkl := _first(r"Math Kernel Library Version ([\w.]+)", built):
        return f"mkl {mkl}"
    return _first(r"BLAS_INFO=(\w+)", built)


def _numpy_blas() -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas.get('name', '')} {blas.get('version', '')}".strip()


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""
