"""The libraries that compute, as torch and NumPy describe them: columns of ``results/environments.csv``.

Importing it sets what they read from the environment when they compute for the first time.
"""

from __future__ import annotations

import os
import re
from functools import cache

import numpy as np
import torch

from bench.ledger import provenance

# Variables by which libraries choose their instructions: sums then have another order. They are recorded.
SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "OPENBLAS_CORETYPE",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
)
# Variables by which they compute products in fewer bits than float32 has. They are removed.
FEWER_BITS = (
    "DNNL_DEFAULT_FPMATH_MODE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
for _name in FEWER_BITS:
    os.environ.pop(_name, None)
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on CUDA
torch.backends.cudnn.allow_tf32 = False  # torch's default computes convolutions and LSTMs on a card in 10 bits
torch.backends.cuda.matmul.allow_tf32 = False
# With deterministic algorithms torch fills all new memory with NaN first, a second write of every tensor
torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def device() -> str:
    """Name of the GPU that trains, "cpu" without one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


@cache
def libraries() -> dict[str, str]:
    """Values of ``provenance.LIBRARIES``; those of CUDA are empty without a GPU. ``SWITCHES`` that are set stand with
    the instructions.
    """
    built = torch.__config__.show()
    switches = [f"{name}={os.environ[name]}" for name in SWITCHES if os.environ.get(name)]
    found = {
        "instructions": " ".join([torch.backends.cpu.get_cpu_capability(), *switches]),
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
