"""minigrad: build deep networks, see where their gradients die, predict it, repair it by hand.

Arrays speak NumPy (`mg.exp`, `axis=`, broadcasting), networks speak PyTorch (`Tensor.backward`,
`nn.Module`, `optim.Adam`). Start with `mg.tensor`, `mg.nn` and `mg.optim`; `mg.models` builds the
deep networks and `mg.diagnostics` looks into them.

`import minigrad` should cost little beside `import numpy`. So it loads the engine only (and
compiles none of its operations, see `ops.codegen`); the packages built on the engine are loaded
when first asked for, be it as `mg.nn`, `from minigrad import nn` or `import minigrad.nn`.

Two settings of the process are touched, for speed: Python's cycle collector runs after 10,000 new
containers instead of 700 (`tape`), and on Linux up to 32 MiB of freed memory are kept (`backend`).
"""

import builtins
import importlib
import sys
from typing import TYPE_CHECKING

import numpy as np

from minigrad import errors, inplace, ops
from minigrad.autograd import grad
from minigrad.backend import device
from minigrad.derivatives import hessian, hvp, jacobian, jvp, vjp
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.ops import *  # noqa: F403
from minigrad.ops.table import op
from minigrad.random import Generator, manual_seed
from minigrad.tape import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.tensor import Tensor

if TYPE_CHECKING:  # below, `__getattr__` loads these
    from minigrad import checkpoint, data, diagnostics, models, nn, optim, train

__version__ = "0.1.0"

bool = np.bool_
uint8, int8, int16, int32, int64 = np.uint8, np.int8, np.int16, np.int32, np.int64
float16, float32, float64 = np.float16, np.float32, np.float64

# The names that PyTorch scripts use.
half, float, double, int, long = float16, float32, float64, int32, int64
from_numpy = ops.as_tensor
cat, unsqueeze, permute, clamp = ops.concatenate, ops.expand_dims, ops.transpose, ops.clip
sub, mul, div, pow, mm, amax, amin = (
    ops.subtract, ops.multiply, ops.divide, ops.power, ops.matmul, ops.max, ops.min,
)  # fmt: skip

__all__ = [
    "Generator",
    "Tensor",
    "amax",
    "amin",
    "bool",
    "cat",
    "checkpoint",
    "clamp",
    "data",
    "device",
    "diagnostics",
    "div",
    "double",
    "enable_grad",
    "errors",
    "float",
    "float16",
    "float32",
    "float64",
    "from_numpy",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "half",
    "hessian",
    "hvp",
    "inference_mode",
    "inplace",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "long",
    "manual_seed",
    "mm",
    "models",
    "mul",
    "nn",
    "no_grad",
    "op",
    "ops",
    "optim",
    "permute",
    "pow",
    "set_grad_enabled",
    "sub",
    "train",
    "uint8",
    "unsqueeze",
    "vjp",
]  # fmt: skip
# `from minigrad import *` must not replace `sum`, `max`, `bool` and their like.
__all__ = [name for name in [*__all__, *ops.__all__] if not hasattr(builtins, name)]

# Not `gradcheck`: loaded late, the module would take the place of the function of that name.
_LOADED_WHEN_ASKED_FOR = {"checkpoint", "data", "diagnostics", "models", "nn", "optim", "train"}

if not TYPE_CHECKING:  # for a type checker, every name would exist

    def __getattr__(name: str) -> object:
        if name in _LOADED_WHEN_ASKED_FOR:
            return importlib.import_module(f"{__name__}.{name}")
        # `name` and `obj` let Python ask "Did you mean ...?"
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )


def __dir__() -> list[str]:
    return sorted({*globals(), *_LOADED_WHEN_ASKED_FOR})
