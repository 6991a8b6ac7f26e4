"""minigrad: build deep networks, see where their gradients die, predict it, repair it by hand.

Arrays speak NumPy (`mg.exp`, `axis=`, broadcasting), networks speak PyTorch (`Tensor.backward`,
`nn.Module`, `optim.Adam`). Start with `mg.tensor`, `mg.nn` and `mg.optim`.
"""

import numpy as _np

from minigrad import inplace as _inplace  # binds `t += 1` and `t[i] = v`
from minigrad import errors, nn, ops, optim
from minigrad.autograd import grad
from minigrad.backend import device
from minigrad.derivatives import hessian, hvp, jacobian, jvp, vjp
from minigrad.ops import *
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

float16, float32, float64 = _np.float16, _np.float32, _np.float64
int8, int16, int32, int64, uint8 = _np.int8, _np.int16, _np.int32, _np.int64, _np.uint8
bool = _np.bool_
half, float, double, int, long = float16, float32, float64, int32, int64
from_numpy = ops.as_tensor
newaxis = None

__all__ = [name for name in dir() if not name.startswith("_")]
