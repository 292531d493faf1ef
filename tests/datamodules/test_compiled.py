"""Compiled functions of the data modules work without a folder for them, and from a damaged one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = "from datamodules.compiled import compiled\n\n\n@compiled\ndef double(x):\n    return 2 * x\n"


def call(folder: Path, **variables: str) -> str:
    from tests.conftest import ROOT

    code = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]; import own; print(own.double(2))"
    environment = {"PATH": "/usr/bin", "HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("ending", "content"), [("nbc", b""), ("nbi", b"\x80"), ("nbi", b"not what numba wrote")])
def test_a_damaged_file_is_compiled_again(tmp_path: Path, ending: str, content: bytes) -> None:
    (tmp_path / "own.py").write_text(MODULE)
    assert call(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == "4"
    (file,) = (tmp_path / "cache").rglob(f"*.{ending}")
    file.write_bytes(content)
    assert call(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == "4"


def test_a_checkout_and_a_home_that_cannot_be_written_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba finds no place to cache: a checkout of another user, and a user without a home, as in containers."""
    from numba.core.caching import CacheImpl

    from datamodules import compiled

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    double = compiled.compiled(lambda x: 2 * x)
    assert double(2) == 4
