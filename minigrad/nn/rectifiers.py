"""The nonlinearities with a kink or with corners, as layers: ReLU and its relatives.

On `inplace` see `activations`.
"""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.backend import Device
from minigrad.nn import functional as F
from minigrad.nn.activations import Activation, Inplace
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


class ReLU(Inplace):
    """max(x, 0), elementwise. Its slope is 1 above 0, and 0 at 0 and below.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.ReLU()(mg.tensor([-2.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)


class ReLU6(Inplace):
    """min(max(x, 0), 6), elementwise.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.ReLU6()(mg.tensor([-2.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input)


class Hardsigmoid(Inplace):
    """min(max(x + 3, 0), 6) / 6, elementwise.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Hardsigmoid()(mg.tensor([-3.0, 0.0, 3.0]))
    tensor([0. , 0.5, 1. ])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input)

    def extra_repr(self) -> str:
        return ""  # as in PyTorch


class Hardtanh(Inplace):
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


class LeakyReLU(Inplace):
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


class PReLU(Activation):
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


class ELU(Inplace):
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


class CELU(Inplace):
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


class SELU(Inplace):
    """The ELU that keeps mean 0 and variance 1; see `functional.selu`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.SELU()(mg.tensor([-100.0, 1.0]))
    tensor([-1.7581,  1.0507])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input)
