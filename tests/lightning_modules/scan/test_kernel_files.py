"""Compiled kernels on disk: damaged ones are compiled again, whatever is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_modules.scan import kernels

SOURCE = """from lightning_modules.scan.kernels import kernel


@kernel
def double(x):
    return 2 * x
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("BENCH_KERNELS", str(tmp_path))
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    """As in a new process."""
    kernels.folder.cache_clear()
    kernels._load.cache_clear()
    for name in [name for name in sys.modules if name.startswith("scan_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "user/.cache/spiking-sequence-benchmarks/kernels"),
        ({"XDG_CACHE_HOME": "{tmp}/caches"}, "caches/spiking-sequence-benchmarks/kernels"),
        ({"XDG_CACHE_HOME": "{tmp}/caches", "BENCH_KERNELS": "~/mine"}, "user/mine"),
        ({"BENCH_HOME": "{tmp}/home"}, "user/.cache/spiking-sequence-benchmarks/kernels"),
    ],
)
def test_checkouts_and_homes_share_one_folder_of_kernels(
    variables: dict[str, str], expected: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "BENCH_KERNELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder / "user"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp=folder))
    assert kernels.folder() == folder / expected


@pytest.mark.parametrize("ending", ["nbc", "nbi", "py"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04\x95", b"not what numba wrote"])
def test_a_damaged_kernel_file_is_made_again(folder: Path, ending: str, content: bytes) -> None:
    assert kernels.load(SOURCE, "a test").double(2.0) == 4.0
    (file,) = folder.rglob(f"scan_*.{ending}")
    whole = file.read_bytes()
    assert len(whole) > len(content)
    file.write_bytes(content)
    forget()
    assert kernels.load(SOURCE, "a test").double(2.0) == 4.0
    if ending == "py":
        assert file.read_bytes() == whole
    forget()
    before = dict(kernels.compile_seconds())
    assert kernels.load(SOURCE, "a test").double(2.0) == 4.0
    assert kernels.compile_seconds() == before  # read from disk again
