"""A card that is not there: tensors without numbers that say they are on one, and what makes the host wait for it.

torch's fake tensors refuse operations on tensors of two devices, as a card does, and have no numbers that the host
could read.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.conftest import ROOT

CARD = torch.device("cuda", 0)
READS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "repeat_interleave", "equal")
INDEXING = ("index", "index_put_", "index_put", "_index_put_impl_")


class Waits(TorchDispatchMode):
    """Lists every operation after which the host waits for the card, as "operation at file:line: source"."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        if name in READS and not (name == "repeat_interleave" and kwargs.get("output_size") is not None):
            self._note(name, args)
        if name in INDEXING and any(index is not None and index.dtype == torch.bool for index in args[1]):
            self._note(f"{name} by truth values", args)
        if name == "_to_copy" and not kwargs.get("non_blocking"):
            target = kwargs.get("device")
            if target is not None and torch.device(target).type != args[0].device.type:
                self.found.append(f"copy from {args[0].device.type} at {_place()}")
        if name == "copy_" and args[0].device != args[1].device and not (len(args) > 2 and args[2]):
            self.found.append(f"copy from {args[1].device.type} at {_place()}")
        return func(*args, **kwargs)

    def _note(self, name: str, args: Any) -> None:
        if any(isinstance(x, Tensor) and x.device.type == "cuda" for x in args):
            self.found.append(f"{name} at {_place()}")


def _place() -> str:
    own = [f for f in traceback.extract_stack() if f.filename.startswith(str(ROOT))]
    own = [f for f in own if "tests/" not in f.filename and "/site-packages/" not in f.filename]
    return f"{own[-1].filename[len(str(ROOT)) + 1 :]}:{own[-1].lineno}: {own[-1].line}" if own else "the test"


class Indexing(TorchFunctionMode):
    """Indexing and ``contiguous`` by torch's operations: Python's own ask for the card's driver."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__getitem__:
            return _part(*args)
        if func is Tensor.__setitem__:
            return _set_part(*args)
        if func is Tensor.contiguous:
            return torch.ops.aten.clone(args[0], memory_format=torch.contiguous_format)
        return func(*args, **(kwargs or {}))


def _part(x: Tensor, index: Any) -> Tensor:
    x, tensors = _view(x, index)
    return torch.ops.aten.index(x, tensors) if tensors else x


def _set_part(x: Tensor, index: Any, value: Any) -> None:
    x, tensors = _view(x, index)
    if not isinstance(value, Tensor):
        value = torch.full((), value, dtype=x.dtype, device=x.device)
    if tensors:
        torch.ops.aten.index_put_(x, tensors, value.to(x.dtype))
    else:
        x.copy_(value)


def _view(x: Tensor, index: Any) -> tuple[Tensor, list[Tensor | None]]:
    """``x`` after all indices but tensors, and these by dimension."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [part for part in parts if not isinstance(part, Tensor)]:
        place = next(i for i, part in enumerate(parts) if part is Ellipsis)
        used = sum(part is not None for part in parts) - 1
        parts[place : place + 1] = [slice(None)] * (x.dim() - used)
    tensors: list[Tensor | None] = []
    dim = 0
    for part in parts:
        if part is None:
            x = torch.ops.aten.unsqueeze(x, dim)
        elif isinstance(part, slice):
            x = torch.ops.aten.slice(x, dim, part.start, part.stop, part.step or 1)
        elif isinstance(part, Tensor) and part.dim():
            tensors += [None] * (dim - len(tensors)) + [part]
        else:
            x = torch.ops.aten.select(x, dim, int(part))
            continue
        dim += 1
    return x, tensors


@contextmanager
def fake_card() -> Iterator[None]:
    """Within the ``with`` block tensors that are created are fake. cuDNN is off: it asks for the card's driver."""
    off = torch.backends.cudnn.flags(enabled=False)
    with FakeTensorMode(allow_non_fake_inputs=False), Indexing(), torch.no_grad(), off:
        yield


def moved(module: nn.Module, device: torch.device = CARD) -> nn.Module:
    """``module`` with its parameters and buffers on ``device``; ``Module.to`` cannot do it with fake tensors."""
    known: dict[int, Tensor] = {}
    for part in module.modules():
        for tensors in (part._parameters, part._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    known[id(tensor)] = known.get(id(tensor), _moved_tensor(tensor, device))
                    tensors[name] = known[id(tensor)]  # type: ignore[assignment]
        if hasattr(part, "_device"):  # Lightning's module
            part._device = device
        if isinstance(part, nn.RNNBase):
            part._flat_weights = [part._parameters[name] for name in part._flat_weights_names]  # type: ignore[misc]
    return module


def _moved_tensor(tensor: Tensor, device: torch.device) -> Tensor:
    new = tensor.detach().to(device)
    return nn.Parameter(new, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else new
