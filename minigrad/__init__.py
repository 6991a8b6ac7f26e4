"""minigrad: build deep networks, see where their gradients die, predict it, repair it by hand."""

from minigrad import inplace as inplace
from minigrad.autograd import grad
from minigrad.ops import *  # noqa: F403
from minigrad.tensor import Tensor

__version__ = "0.1.0"
import numpy as np
float32, float64, int64 = np.float32, np.float64, np.int64
from minigrad.tape import *
from minigrad.random import Generator, manual_seed
