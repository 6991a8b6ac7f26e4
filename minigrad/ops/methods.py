"""Operators and methods of Tensor, bound to the operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.ops import (
    activations,
    arranging,
    creation,
    elementwise,
    indexing,
    norms,
    piecewise,
    products,
    rectifiers,
    reductions,
    shaping,
)
from minigrad.tensor import Tensor


def _reflected(operation: Any) -> Any:
    """For `2 - t`, which Python asks of `t`."""

    def reflected(self: Tensor, other: Any) -> Tensor:
        return operation(other, self)  # type: ignore[no-any-return]

    return reflected


_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": piecewise.floor_divide,
    "mod": piecewise.remainder,
    "pow": elementwise.power,
    "matmul": products.matmul,
    "and": piecewise.bitwise_and,
    "or": piecewise.bitwise_or,
    "xor": piecewise.bitwise_xor,
}
for _name, _operation in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _operation)
    setattr(Tensor, f"__r{_name}__", _reflected(_operation))

for _name, _operation in {
    "neg": elementwise.negative,
    "pos": elementwise.positive,
    "abs": piecewise.abs,
    "invert": piecewise.invert,
    "eq": piecewise.equal,
    "ne": piecewise.not_equal,
    "lt": piecewise.less,
    "le": piecewise.less_equal,
    "gt": piecewise.greater,
    "ge": piecewise.greater_equal,
    "getitem": indexing.getitem,
}.items():
    setattr(Tensor, f"__{_name}__", _operation)

_METHODS = {
    elementwise: "exp exp2 expm1 log log2 log10 log1p sqrt square reciprocal sin cos tan arcsin "
    "arccos arctan sinh cosh tanh arcsinh arccosh arctanh erf sinc logaddexp",
    piecewise: "abs sign floor ceil round trunc clip isnan isinf isfinite maximum minimum "
    "remainder",
    reductions: "sum mean var std max min prod cumsum cumprod logsumexp argmax argmin all any "
    "median",
    indexing: "sort argsort topk gather scatter_add index_add take take_along_axis",
    shaping: "reshape ravel flatten transpose swapaxes moveaxis squeeze expand_dims broadcast_to "
    "clone astype",
    arranging: "split repeat tile flip roll rot90 pad tril triu",
    products: "matmul dot inner outer tensordot kron trace diagonal diag",
    norms: "norm",
    activations: "sigmoid softmax log_softmax",
    rectifiers: "relu",
}
for _module, _names in _METHODS.items():
    for _name in _names.split():
        setattr(Tensor, _name, getattr(_module, _name))

# PyTorch's second names, which learners know.
for _theirs, _ours in {
    "view": "reshape",
    "permute": "transpose",
    "unsqueeze": "expand_dims",
    "expand": "broadcast_to",
    "clamp": "clip",
    "pow": "__pow__",
    "mm": "matmul",
    "amax": "max",
    "amin": "min",
}.items():
    setattr(Tensor, _theirs, getattr(Tensor, _ours))

setattr(Tensor, "T", property(lambda self: shaping.transpose(self)))  # noqa: B010
setattr(Tensor, "mT", property(lambda self: shaping.swapaxes(self, -1, -2)))  # noqa: B010


def to(x: Tensor, target: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
    """`x` on another device, in another dtype, or both.

    Arguments:
        target: a device ("cpu", "cuda", "cuda:N") or a dtype; or name them:
        dtype: floating point, integer or bool.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        `x` itself where it is so already. The gradient comes back to where `x` is.

    >>> import minigrad as mg
    >>> mg.ones(1).to(mg.float64).dtype
    dtype('float64')
    """
    if isinstance(target, str | backend.Device) and not _is_dtype_name(target):
        device = target
    elif target is not None:
        dtype = target
    if device is not None:
        x = creation.move(x, backend.device(device))
    if dtype is not None and backend.check_dtype(dtype) != x.dtype:
        x = shaping.astype(x, dtype)
    return x


def _is_dtype_name(target: Any) -> bool:
    try:
        np.dtype(target)
    except TypeError:
        return False
    return True


setattr(Tensor, "to", to)  # noqa: B010
for _name, _dtype in {
    "float": np.float32, "double": np.float64, "half": np.float16, "long": np.int64,
    "int": np.int32, "bool": np.bool_,
}.items():  # fmt: skip
    setattr(Tensor, _name, lambda self, dtype=_dtype: shaping.astype(self, dtype, copy=False))
