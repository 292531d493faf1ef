"""Memory that ends is named as such: by the status of a training, and by the check before one."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.papers.roles.models import LIF
from bench.papers.roles.tasks import XOR
from bench.spec.experiment import Experiment
from bench.training import run
from datamodules.recordings import Recordings

E = Experiment(XOR, LIF, 0, "smoke")
HUGE = 2**60


def raised(action: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as error:
        action()
    return error.value


EXHAUSTED = {
    "torch": lambda: torch.empty(HUGE // 8),
    "numpy": lambda: np.empty(HUGE, np.uint8),
    "bytes": lambda: bytearray(HUGE),
    "CUDA": lambda: (_ for _ in ()).throw(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")),
    "cuBLAS": lambda: (_ for _ in ()).throw(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling")),
    "mmap": lambda: (_ for _ in ()).throw(OSError(12, "Cannot allocate memory")),
}
FAULTS = """
import resource, sys
import numpy as np
from bench.training import memory
if sys.argv[1] == "kept":
    memory.keep_freed()
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**25)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is an option of glibc")
def test_freed_memory_is_used_again_without_asking_the_system() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("kept", "returned")
    }
    assert faults["kept"] < 100
    assert faults["returned"] > 100 * max(1, faults["kept"])


@pytest.mark.parametrize("name", EXHAUSTED)
def test_memory_that_ends_is_oom_whoever_asked_for_it(name: str) -> None:
    status, text = run._status(raised(EXHAUSTED[name]))
    assert status == "oom" and text


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), OSError(28, "No space left"), KeyError("memory")])
def test_another_error_is_no_oom(error: Exception) -> None:
    assert run._status(error)[0] == "failed"


@pytest.mark.parametrize("name", ["torch", "numpy", "bytes"])
def test_the_check_before_a_run_says_that_memory_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SpikingModule", lambda config: EXHAUSTED[name]())
    with pytest.raises(BenchError, match="xor / lif / seed 0 / smoke needs more memory than there is here") as error:
        run.check([E])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["numpy", "bytes"])
def test_a_recording_is_not_damaged_where_memory_ended(name: str) -> None:
    class Set:
        def __getitem__(self, index: int) -> object:
            return EXHAUSTED[name]()

    with pytest.raises(MemoryError):
        Recordings.sort(Set(), ["a"])[0]


@pytest.mark.parametrize("name", ["torch", "numpy", "bytes"])
def test_a_checkpoint_is_not_set_aside_where_memory_ended(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"whole")
    monkeypatch.setattr(run.torch, "load", lambda *_, **__: EXHAUSTED[name]())
    assert run._status(raised(lambda: run._usable(path, E.config)))[0] == "oom"
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("width", [0, 0.0, -0.5, "wide"])
@pytest.mark.parametrize("surrogate", ["rect", "triangular", "arctan"])
def test_a_surrogate_without_width_is_refused_before_it_is_trained(width: object, surrogate: str) -> None:
    overrides = (("neuron.surrogate", surrogate), ("neuron.width", width))
    with pytest.raises(BenchError, match="number"):
        run.check([Experiment(XOR, LIF, 0, "smoke", overrides)])
