"""The nonlinearities as layers; their formulas and sources stand with the functions.

Several take `inplace`, so that a PyTorch script runs as it is. It changes nothing here: the input
is never overwritten, so what is read from it afterwards is still the input.
"""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.backend import Device
from minigrad.nn import functional as F
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

# Layers with a number to choose try it out when they are made, on a single 0: a wrong one is
# refused there, not when the first batch arrives.


class _Inplace(Module):
    """A layer that takes PyTorch's `inplace`; see the top of this file."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""

    def _repr_with(self, options: str) -> str:
        return f"{options}, inplace=True" if self.inplace else options


# -- smooth ------------------------------------------------------------------------------------


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise. Its slope is at most 1/4."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class LogSigmoid(Module):
    """log(1 / (1 + exp(-x))), elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Tanh(Module):
    """tanh(x), elementwise. Its slope is at most 1, at 0."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Tanhshrink(Module):
    """x - tanh(x), elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class Softsign(Module):
    """x / (1 + |x|), elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, elementwise; see `functional.softplus`.

    Arguments:
        beta: above 0; the larger, the sharper the bend.
        threshold: where beta x is above it, the output is x.

    Raises:
        ArgumentError: a beta that is not above 0.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Softplus(beta=10.0)(mg.tensor([-1.0, 1.0]))
    tensor([4.5399e-06, 1.0000e+00])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold
        F.softplus(0.0, beta, threshold)

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class SiLU(_Inplace):
    """x sigmoid(x), elementwise; also called swish."""

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input)


class Mish(_Inplace):
    """x tanh(softplus(x)), elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input)


class GELU(Module):
    """x Phi(x), Phi being the normal distribution's; see `functional.gelu`.

    Arguments:
        approximate: "none" for the exact Phi, "tanh" for the formula with tanh.

    Raises:
        ArgumentError: another word.

    >>> from minigrad import nn
    >>> nn.GELU()
    GELU(approximate='none')
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate
        F.gelu(0.0, approximate)

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


# -- with a kink -------------------------------------------------------------------------------


class ReLU(_Inplace):
    """max(x, 0), elementwise. Its slope is 1 above 0, and 0 at 0 and below."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)


class ReLU6(_Inplace):
    """min(max(x, 0), 6), elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input)


class Hardsigmoid(_Inplace):
    """min(max(x + 3, 0), 6) / 6, elementwise."""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input)

    def extra_repr(self) -> str:
        return ""  # as in PyTorch


class Hardtanh(_Inplace):
    """x limited to [min_val, max_val]; see `functional.hardtanh`.

    Raises:
        ArgumentError: min_val is not below max_val.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Hardtanh(0.0, 2.0)(mg.tensor([-1.0, 3.0]))
    tensor([0., 2.])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.min_val, self.max_val = min_val, max_val
        F.hardtanh(0.0, min_val, max_val)

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return self._repr_with(f"min_val={self.min_val}, max_val={self.max_val}")


class LeakyReLU(_Inplace):
    """x above 0, negative_slope x at 0 and below, elementwise.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.LeakyReLU(0.1)(mg.tensor([-2.0, 2.0]))
    tensor([-0.2,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return self._repr_with(f"negative_slope={self.negative_slope}")


class PReLU(Module):
    """A leaky ReLU that learns its slopes; see `functional.prelu`.

    Arguments:
        num_parameters: 1, one slope for all; or the channels, the size of axis 1 of the input.
        init: where the slopes start.
        device, dtype: of the parameter; by default the CPU and float32.

    Attributes:
        weight: the slopes, shape (num_parameters,).

    Weight decay would pull the slopes to 0, that is towards ReLU.

    Raises:
        ArgumentError: fewer than one slope.
        ShapeError: when called, an input of another number of channels.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.PReLU()(mg.tensor([-2.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: str | Device | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_parameters = check_count("PReLU", "num_parameters", num_parameters)
        self.weight = Parameter(ops.full(self.num_parameters, init, **placement(device, dtype)))

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(_Inplace):
    """x above 0, alpha (exp(x) - 1) at 0 and below; see `functional.elu`.

    Raises:
        ArgumentError: a negative alpha.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.ELU(alpha=0.5)(mg.tensor([-100.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha
        F.elu(0.0, alpha)

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return self._repr_with(f"alpha={self.alpha}")


class CELU(_Inplace):
    """x above 0, alpha (exp(x / alpha) - 1) at 0 and below; see `functional.celu`.

    Raises:
        ArgumentError: an alpha that is not above 0.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.CELU(alpha=0.5)(mg.tensor([-100.0, 2.0]))
    tensor([-0.5,  2. ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha
        F.celu(0.0, alpha)

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha)

    def extra_repr(self) -> str:
        return self._repr_with(f"alpha={self.alpha}")


class SELU(_Inplace):
    """The ELU that keeps mean 0 and variance 1; see `functional.selu`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input)


# -- along an axis -------------------------------------------------------------------------------


class _AlongAxis(Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along the axis `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along the axis `dim`; with `nll_loss` it makes the cross-entropy."""

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class GLU(_AlongAxis):
    """a sigmoid(b), a and b being the two halves of the input along the axis `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)
