"""Every kernel compiles for every GPU that Triton knows, without one, and none spills registers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from lightning_modules.neurons import NEURONS
from lightning_modules.scan.gpu_resources import KINDS, Resources, resources, targets

pytest.importorskip("triton", reason="triton is not installed: nothing can be compiled for a GPU")
pytestmark = pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter compiles nothing")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def check(rows: list[Resources]) -> None:
    assert all(row.registers > 0 for row in rows)
    assert [row for row in rows if row.spilled] == []
    # of one program at most, on the smallest of these GPUs: 163 kB on an A100, 64 kB on an MI300
    assert all(row.shared <= (163 if row.target.startswith("sm") else 64) * 1024 for row in rows)


def test_the_kernels_of_lif_compile_for_one_gpu_without_spills() -> None:
    rows = list(resources(["lif"], ["sm_90"]))
    assert [(row.kind, row.direction) for row in rows] == [(k, d) for k in KINDS for d in ("forward", "backward")]
    check(rows)


@pytest.mark.parametrize(
    "ones", [("steps", "T_saved", "known", "T"), ("begin", "t_first", "detach"), ("B", "N")], ids=lambda ones: ones[0]
)
def test_arguments_that_are_one_are_compiled_in(ones: tuple[str, ...]) -> None:
    kinds = ["feedforward", "recurrent by step"]
    assert len(list(resources(["celif"], ["sm_90"], kinds, ones=ones))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NEURONS))
def test_the_kernels_of_every_neuron_compile_for_every_gpu_without_spills(name: str) -> None:
    rows = list(resources([name]))
    assert len(rows) == 2 * len(KINDS) * len(targets())
    check(rows)


@pytest.mark.slow
def test_float64_kernels_compile_without_spills_too() -> None:
    rows = list(resources(["lif", "glif", "dexat"], dtype=torch.float64))
    assert len(rows) == 3 * 4 * len(targets())
    check(rows)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown target sm_1; known: gfx942, sm_80, sm_90"):
        next(resources(["lif"], ["sm_1"]))
    with pytest.raises(ValueError, match="unknown neuron nobody"):
        next(resources(["nobody"]))


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 24, 40, 128])
def test_small_recurrent_layers_compile_without_spills(size: int) -> None:
    rows = list(resources(["glif", "dexat"], ["sm_90", "gfx942"], ["recurrent"], size=size))
    assert len(rows) == 8
    check(rows)
