"""Changing the values of many parameters at once: all of them, or on an error none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ArgumentError, DtypeError
from minigrad.ops import as_tensor
from minigrad.tape import no_grad
from minigrad.tensor import Tensor


class Misfits(NamedTuple):
    """What `load_state_dict` found no counterpart for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load(owner: str, own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool) -> Misfits:
    """Write the values of `given` into the tensors of `own` that have the same key.

    Arguments:
        owner: the class of the module, for the message.
        own: path to the tensor to write into.
        given: path to Tensor or array.
        strict: both must have the same keys.

    Raises:
        ArgumentError: keys (when strict), shapes or dtypes do not fit; nothing was written.
    """
    misfits = Misfits([k for k in own if k not in given], [k for k in given if k not in own])
    values = {key: _tensor(given[key]) for key in own if key in given}
    problems = []
    if strict and misfits.missing_keys:
        problems.append(f"missing keys: {', '.join(misfits.missing_keys)}")
    if strict and misfits.unexpected_keys:
        problems.append(f"unexpected keys: {', '.join(misfits.unexpected_keys)}")
    for key, value in values.items():
        target = own[key]
        if value.shape != target.shape:
            problems.append(f"{key} has shape {value.shape}, the module's {target.shape}")
        elif not np.can_cast(value.dtype, target.dtype, "same_kind"):
            problems.append(f"{key} holds {value.dtype}, the module's {target.dtype}")
    if problems:
        raise ArgumentError(
            f"load_state_dict: the state does not fit this {owner}, and nothing was loaded: "
            f"{'; '.join(problems)}. Build the module with the sizes it was saved with"
            + (", or pass strict=False to skip keys" if strict else "")
        )
    with no_grad():
        for key, value in values.items():
            own[key].copy_(value.detach())
    return misfits


def _tensor(value: Any) -> Tensor:
    # Through NumPy, which also reads the tensors of other libraries.
    return value if isinstance(value, Tensor) else as_tensor(np.asarray(value))


def convert(tensors: Iterable[Tensor], targets: Sequence[Any]) -> None:
    """Move tensors, staying the same objects, to a device or floating dtype; gradients as well."""
    moved = [(tensor, _moved(tensor, targets)) for tensor in tensors]
    for tensor, new in moved:
        if new.data is tensor.data:
            continue
        grad = tensor.grad
        tensor.grad = None
        tensor.device = new.device
        tensor.data = new.data
        if grad is not None:
            tensor.grad = _moved(grad, targets)


def _moved(tensor: Tensor, targets: Sequence[Any]) -> Tensor:
    out = tensor.detach()
    for target in targets:
        new = out.to(target)
        if out.dtype.kind == "f" and new.dtype.kind != "f":
            raise DtypeError(
                f"Module.to: parameters must stay floating point, got {new.dtype}; "
                "use mg.float32 or mg.float64"
            )
        if out.dtype.kind == "f" or new.dtype == out.dtype:
            out = new
    return out
