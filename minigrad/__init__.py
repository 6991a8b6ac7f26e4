"""minigrad: build deep networks, see where their gradients die, predict it, repair it by hand.

Arrays speak NumPy (`mg.exp`, `axis=`, broadcasting), networks speak PyTorch (`Tensor.backward`,
`nn.Module`, `optim.Adam`). Start with `mg.tensor`, `mg.nn` and `mg.optim`; `mg.models` builds the
deep networks and `mg.diagnostics` looks into them.
"""

import builtins

import numpy as np

from minigrad import checkpoint, data, diagnostics, errors, inplace, models, nn, ops, optim, train
from minigrad.autograd import grad
from minigrad.backend import device
from minigrad.derivatives import hessian, hvp, jacobian, jvp, vjp
from minigrad.gradcheck import gradcheck, gradgradcheck
from minigrad.ops import *  # noqa: F403
from minigrad.random import Generator, manual_seed
from minigrad.tape import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.tensor import Tensor

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
