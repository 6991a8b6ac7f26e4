"""The smooth nonlinearities as layers; formulas and sources stand with the functions.

Several take `inplace`, so that a PyTorch script runs as it is. It changes nothing here: the input
is never overwritten, so what is read from it afterwards is still the input.
"""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.tensor import Tensor

# Layers with a number to choose try it out when they are made, on a single 0: a wrong one is
# refused there, not when the first batch arrives.


class Activation(Module):
    """An elementwise nonlinearity a = phi(z): the base of all layers here that are one.

    Diagnostics tell an activation from other layers by this base. One of your own that derives
    from it is measured like those here, saturation included.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> class Square(nn.Activation):
    ...     def forward(self, input):
    ...         return input * input
    >>> Square()(mg.tensor([-2.0, 3.0]))
    tensor([4., 9.])
    """


class Inplace(Activation):
    """An activation that takes PyTorch's `inplace`; see the top of this file."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""

    def _repr_with(self, options: str) -> str:
        return f"{options}, inplace=True" if self.inplace else options


class Sigmoid(Activation):
    """1 / (1 + exp(-x)), elementwise. Its slope is at most 1/4.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Sigmoid()(mg.tensor([-1.0, 0.0, 1.0]))
    tensor([0.2689, 0.5   , 0.7311])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class LogSigmoid(Activation):
    """log(1 / (1 + exp(-x))), elementwise.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.LogSigmoid()(mg.tensor([-1.0, 0.0]))
    tensor([-1.3133, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Tanh(Activation):
    """tanh(x), elementwise. Its slope is at most 1, at 0.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Tanh()(mg.tensor([-10.0, 0.0, 0.5]))
    tensor([-1.    ,  0.    ,  0.4621])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Tanhshrink(Activation):
    """x - tanh(x), elementwise.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Tanhshrink()(mg.tensor([0.0, 10.0]))
    tensor([0., 9.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class Softsign(Activation):
    """x / (1 + |x|), elementwise.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Softsign()(mg.tensor([-1.0, 0.0, 9.0]))
    tensor([-0.5,  0. ,  0.9])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Softplus(Activation):
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


class SiLU(Inplace):
    """x sigmoid(x), elementwise; also called swish.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.SiLU()(mg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7311])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input)


class Mish(Inplace):
    """x tanh(softplus(x)), elementwise.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Mish()(mg.tensor([0.0, 1.0]))
    tensor([0.    , 0.8651])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input)


class GELU(Activation):
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


# -- along an axis -------------------------------------------------------------------------------


class _AlongAxis(Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along the axis `dim`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Softmax(dim=1)(mg.tensor([[1.0, 1.0], [1000.0, 0.0]]))
    tensor([[0.5, 0.5],
            [1. , 0. ]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along the axis `dim`; with `nll_loss` it makes the cross-entropy.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.LogSoftmax(dim=1)(mg.tensor([[0.0, 1000.0]]))
    tensor([[-1000.,     0.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class GLU(_AlongAxis):
    """a sigmoid(b), a and b being the two halves of the input along the axis `dim`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.GLU()(mg.tensor([4.0, 6.0, 0.0, 1000.0]))
    tensor([2., 6.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)
