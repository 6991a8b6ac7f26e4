"""Writing into a tensor: `t += 1`, `t[i] = v`, `t.zero_()`.

Every write bumps the version that all tensors on that memory share, so that a backward which
needs the old value says so. Where gradients are recorded, the write becomes part of the history:
the tensor gets a new node, and so does every other tensor that shows the same memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import backend, ops
from minigrad.errors import ArgumentError, GraphError, ShapeError
from minigrad.ops import indexing
from minigrad.tape import Node, mode
from minigrad.tensor import Tensor, wrap


def _check_writable(name: str, t: Tensor) -> None:
    if isinstance(t._data, np.ndarray) and not t._data.flags.writeable:
        raise ArgumentError(
            f"{name}: this tensor (shape {t.shape}) is read-only, as it shows memory that others "
            "use too: a broadcast view, or a gradient handed to a hook. Write to a clone(); from "
            "a hook, return the new gradient"
        )
    if not mode.enabled:
        return
    for member in _family(t):
        if member.requires_grad and member.is_leaf:
            what = "this tensor" if member is t else "a tensor on the same memory"
            raise GraphError(
                f"{name}: {what} is a leaf that requires a gradient (shape {member.shape}), and a "
                "write would lose where that gradient belongs; do it inside `with mg.no_grad():`, "
                "or on a clone()"
            )
    if t._base is not None and t._base._version is not t._version:
        raise GraphError(
            f"{name}: this tensor is a view (shape {t.shape}) of one that was given other data "
            "since; write to a clone()"
        )


def _family(t: Tensor) -> list[Tensor]:
    """The tensors whose history a write to `t` concerns: its base first, then all views of that."""
    root = t if t._base is None else t._base
    return [root] if root._views is None else [root, *root._views.values()]


def _write(name: str, t: Tensor, result: Tensor) -> Tensor:
    """Put `result` into the memory of `t`, as `name` computed it."""
    if result.shape != t.shape:
        raise ShapeError(
            f"{name}: the result has shape {result.shape}, which the tensor of shape {t.shape} "
            "cannot take in place; use the out-of-place operation"
        )
    backend.check_storable(name, result._data, t.dtype)
    if result.dtype != t.dtype:
        result = result.astype(t.dtype)
    t._data[...] = result._data
    t.mark_written()
    if mode.enabled:
        _renew(t, result._node)
    return t


def _renew(t: Tensor, node: Node | None) -> None:
    """Give `t` its new history, and the tensors that share its memory one that goes through it."""
    root, *views = _family(t)
    if node is None and not any(m.requires_grad for m in (root, *views)):
        return
    _take_over(t, node)
    if t is not root:
        # The memory of `t` inside of its base is now what the write computed.
        old = wrap(root._data, root.device, root._node)
        new = indexing.set_at(old.reshape(-1), t.reshape(-1), index=_places(t, root))
        _take_over(root, new.reshape(root.shape)._node)
    for member in views:
        if member is not t:
            shown = root.reshape(-1)[_places(member, root)].reshape(member.shape)
            _take_over(member, shown._node)


def _take_over(t: Tensor, node: Node | None) -> None:
    """Make `node` the history of `t`; hooks stay where they were, `retain_grad` moves on."""
    watch = None if t._node is None or t._node.op is None else t._node.watch
    if watch is not None and node is not None:
        node.watched().tensor, watch.tensor = watch.tensor, None
    t._node = node


def _places(t: Tensor, root: Tensor) -> np.ndarray:
    """Per element of `t`, flattened, its number among the elements of `root`: equal addresses."""
    addresses = _addresses(root._data)
    order = np.argsort(addresses)
    return order[np.searchsorted(addresses, _addresses(t._data), sorter=order)]


def _addresses(array: Any) -> np.ndarray:
    start = array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr
    offsets = np.zeros((), np.int64)
    for n, stride in zip(array.shape, array.strides, strict=True):
        offsets = offsets[..., None] + stride * np.arange(n)
    return (start + offsets).reshape(-1)


def _in_place(name: str, operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def write(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        _check_writable(name, self)
        return _write(name, self, operation(self, *args, **kwargs))

    write.__name__ = name
    write.__doc__ = f"`{operation.__name__}`, written into this tensor; returns it."
    return write


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """`t[index] = value`, with NumPy's rules; `value` broadcasts and keeps its gradient.

    Raises:
        GraphError: a leaf that requires a gradient, outside of `no_grad`.

    >>> import minigrad as mg
    >>> t, v = mg.zeros(3), mg.tensor(2.0, requires_grad=True)
    >>> t[1] = v * v
    >>> t.sum().backward()
    >>> v.grad
    tensor(4.)
    """
    _check_writable("setitem", self)
    index = indexing.plain_index(index)
    concerned = [*_family(self), value] if mode.enabled else []
    if not any(isinstance(t, Tensor) and t.requires_grad for t in concerned):
        indexing.write_into(self, value, index=index)
        self.mark_written()
        return
    before = wrap(self._data, self.device, self._node)
    written = indexing.set_at(before, value, index=index)
    self._data[index] = written._data[index]
    self.mark_written()
    _renew(self, written._node)


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0, and cut the tensor from its history."""
    return fill_(self, 0)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to `value`, a number, and cut the tensor from its history."""
    _check_writable("fill_", self)
    return _write("fill_", self, ops.full_like(self, value))


def copy_(self: Tensor, source: Any) -> Tensor:
    """Take over the values of `source`, broadcast to this shape; gradients go to `source`."""
    _check_writable("copy_", self)
    source = ops.as_tensor(source).to(self.device)
    return _write("copy_", self, source.broadcast_to(self.shape))


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "add": ops.add, "sub": ops.subtract, "mul": ops.multiply, "truediv": ops.divide,
    "floordiv": ops.floor_divide, "mod": ops.remainder, "pow": ops.power, "matmul": ops.matmul,
}  # fmt: skip
for _name, _operation in _OPERATORS.items():
    setattr(Tensor, f"__i{_name}__", _in_place(f"{_name} (in place)", _operation))

for _name, _operation in {
    "add_": ops.add, "sub_": ops.subtract, "mul_": ops.multiply, "div_": ops.divide,
    "clamp_": ops.clip, "clip_": ops.clip, "neg_": ops.negative, "exp_": ops.exp,
    "sqrt_": ops.sqrt,
}.items():  # fmt: skip
    setattr(Tensor, _name, _in_place(_name, _operation))

for _method in (zero_, fill_, copy_):
    setattr(Tensor, _method.__name__, _method)
setattr(Tensor, "__setitem__", setitem)  # noqa: B010
