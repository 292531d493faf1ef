"""Compiled kernels, kept on disk between processes.

A printed module goes to ``scan_<hash>.py`` in the folder of kernels, and numba keeps the machine code beside it. The
name holds a hash of the text, of the instructions and of the versions it was compiled by, so a file never changes, and
checkouts and homes share the folder. It is written under another name and renamed, and any number of processes may do
that at once. Where the folder cannot be written a temporary one serves this process.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import platform
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["NUMBA_DISABLE_JIT"] = "0"  # kernels are never run as Python

import numba
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

numba.config.DISABLE_JIT = 0  # type: ignore[attr-defined]  # where another package imported numba before
log = logging.getLogger(__name__)
CACHE_LINE = 64  # bytes
FLUSH = 0x8040  # bits of MXCSR: results and operands too small to be normal are 0
_untold: dict[str, str] = {}  # module of kernels -> their title, until a message says that they are compiled
_seconds: dict[str, float] = {}  # module of a kernel -> time spent compiling in this process


def kernel(function: Callable[..., Any], fastmath: Any = False) -> Any:
    """``numba.njit`` for a printed function.

    No fast-math: products and sums are neither fused nor reordered, so every value is the one torch computes.
    ``nogil``: blocks of the batch run in threads. Arrays never overlap unless they are the same argument, and telling
    LLVM so lets it vectorise.
    """
    compiled: Any = numba.njit(function, cache=True, nogil=True, error_model="numpy", fastmath=fastmath)

    def without_aliases(flags: Any) -> Any:
        flags.noalias = True
        return flags

    compile_core = compiled._compiler._compile_core

    def timed(*args: Any) -> Any:
        start = time.perf_counter()
        name = function.__module__
        if title := _untold.pop(name, ""):
            log.info("compiling the kernels of %s once per machine, which takes some seconds", title)
        result = compile_core(*args)
        _seconds[name] = _seconds.get(name, 0.0) + time.perf_counter() - start
        log.debug("compiled %s of %s in %.1f s", function.__name__, name, time.perf_counter() - start)
        return result

    compiled._compiler._customize_flags = without_aliases
    compiled._compiler._compile_core = timed
    _mend_on_load(compiled._cache._cache_file)
    return compiled


def _mend_on_load(file: Any) -> None:
    """Empty numba's index of a kernel on disk where it, or the machine code, cannot be read: it is compiled again."""
    load = file.load

    def load_or_mend(key: Any) -> Any:
        try:
            return load(key)
        except Exception as error:  # whatever a damaged pickle raises
            log.warning("a kernel in %s is damaged (%s): compiling it again", folder(), type(error).__name__)
            file.flush()
            return None

    file.load = load_or_mend


def contracted(function: Callable[..., Any]) -> Any:
    """``kernel`` that may fuse a product and a sum: for functions whose last bit does not have to be that of torch."""
    return kernel(function, {"contract"})


@intrinsic
def keep_denormals(typing: Any, keep: Any) -> Any:
    """In a kernel: keep numbers below 1e-38 (the default), or make them 0 from then on. Only x86 has this mode."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if platform.machine() in ("x86_64", "AMD64"):
            word = ir.IntType(32)
            place = builder.alloca(word)
            pointer = builder.bitcast(place, ir.IntType(8).as_pointer())
            form = ir.FunctionType(ir.VoidType(), [pointer.type])
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse.stmxcsr", (), form), [pointer])
            old = builder.load(place)
            kept = builder.and_(old, word(0xFFFF & ~FLUSH))
            zeroed = builder.or_(old, word(FLUSH))
            builder.store(builder.select(args[0], kept, zeroed), place)
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse.ldmxcsr", (), form), [pointer])
        return context.get_dummy_value()

    return types.void(types.boolean), generate


@intrinsic
def prefetch(typing: Any, row: Any, first: Any) -> Any:
    """In a kernel: ask for the line of the cache with ``row[first]`` ahead of its use."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        word = ir.IntType(32)
        place = builder.bitcast(builder.gep(array.data, [args[1]]), ir.IntType(8).as_pointer())
        form = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        asked = builder.module.declare_intrinsic("llvm.prefetch.p0i8", (), form)
        builder.call(asked, [place, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(row, types.intp), generate


@intrinsic
def stream(typing: Any, to: Any, row: Any, first: Any) -> Any:
    """In a kernel: ``to[first : first + 16] = row[first : first + 16]`` past the cache, which then does not read the
    replaced numbers. ``to[first]`` has to begin a line of the cache, and ``streams_done`` has to follow.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        written, read = (context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 1))
        sixteen = ir.VectorType(written.type.pointee, 16).as_pointer()
        values = builder.load(builder.bitcast(builder.gep(read, [args[2]]), sixteen), align=4)
        store = builder.store(values, builder.bitcast(builder.gep(written, [args[2]]), sixteen), align=CACHE_LINE)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(to, row, types.intp), generate


@intrinsic
def streams_done(typing: Any) -> Any:
    """In a kernel: other threads see what was written by ``stream``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def nonzeros(typing: Any, row: Any, first: Any) -> Any:
    """In a kernel: which of ``row[first : first + 8]`` are not 0, as the bits of a number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        eight = ir.VectorType(array.data.type.pointee, 8)
        values = builder.load(builder.bitcast(builder.gep(array.data, [args[1]]), eight.as_pointer()), align=4)
        bits = builder.fcmp_unordered("!=", values, ir.Constant(eight, None))
        return builder.zext(builder.bitcast(bits, ir.IntType(8)), ir.IntType(64))

    return types.uint64(row, types.intp), generate


def load(source: str, title: str) -> ModuleType:
    """The module printed as ``source``, its kernels compiled at their first call or read from disk."""
    text = "\n".join([source, numba.__version__, torch.__version__, _instructions()])
    return _load(source, hashlib.sha256(text.encode()).hexdigest()[:16], title)


@cache
def _instructions() -> str:
    """The modules that give printed ones their instructions, and are compiled into them."""
    return "".join(
        Path(__file__).with_name(f"{name}.py").read_text()
        for name in ("kernels", "lanes", "narrow_rows", "row_kernels")
    )


@cache
def row_kernels() -> ModuleType:
    """Kernels for whole rows, which printed modules share: they are compiled once."""
    return load(Path(__file__).with_name("row_kernels.py").read_text(), "")


@cache
def folder() -> Path:
    """Where kernels are kept: ``BENCH_KERNELS``, by default in the user's folder for caches (``XDG_CACHE_HOME``); a
    temporary folder where that cannot be written.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    chosen = os.environ.get("BENCH_KERNELS") or caches / "spiking-sequence-benchmarks" / "kernels"
    preferred = Path(chosen).expanduser().absolute()
    try:
        preferred.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=preferred):
            return preferred
    except OSError as error:
        log.warning("kernels cannot be kept in %s (%s): compiling into a temporary folder", preferred, error)
        return Path(tempfile.mkdtemp(prefix="kernels-"))


def _holds(path: Path, source: str) -> bool:
    """Whether ``path`` can be read and is ``source``. Another user's file that cannot be read is replaced."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") == source
    except OSError:
        return False


@cache
def _load(source: str, digest: str, title: str) -> ModuleType:
    name = f"scan_{digest}"
    path = folder() / f"{name}.py"
    if not _holds(path, source):
        temporary = path.with_name(f"{name}.{uuid.uuid4().hex}.tmp")
        temporary.write_text(source, encoding="utf-8")  # its rights are those of the umask and the folder
        os.replace(temporary, path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    _untold[name] = title
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def triton_type(dtype: torch.dtype) -> Any:
    """Triton's name for ``dtype``."""
    import triton.language as tl  # not installed everywhere

    return tl.float64 if dtype == torch.float64 else tl.float32


def compile_seconds() -> dict[str, float]:
    """Seconds this process spent compiling, per kernel module; empty when every kernel was on disk."""
    return dict(_seconds)
