"""The smooth nonlinearities of networks, each beside its derivative.

Every formula is written so that no exponential can overflow. Those with a kink stand in
`rectifiers`.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.arranging import split
from minigrad.ops.creation import as_tensor
from minigrad.ops.elementwise import erf, tanh
from minigrad.ops.piecewise import clip
from minigrad.ops.spelling import one_axis, torch_names
from minigrad.ops.table import op, use
from minigrad.tensor import Tensor

# -- smooth ------------------------------------------------------------------------------------


def _sigmoid_forward(xp: Any, x: Any) -> Any:
    # 1 / (1 + exp(-x)) would overflow at large negative x, and 0.5 + 0.5 tanh(x/2) would round
    # small results to 0, where a lesson wants to see them. So with e = exp(-|x|), at most 1:
    # 1 / (1 + e) from 0 on, e / (1 + e) below. `where` would be far slower than `maximum`.
    e = xp.exp(-xp.abs(x))
    return xp.maximum(e, x >= 0) / (1 + e)


sigmoid = op("sigmoid", _sigmoid_forward, x=lambda g, out: g * (out * (1 - out)))
sigmoid.__doc__ = """1 / (1 + exp(-x)), elementwise, without overflow.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.sigmoid(mg.tensor([-1.0, 0.0, 1.0]))
    tensor([0.2689, 0.5   , 0.7311])
    """


def _log1pexp(xp: Any, x: Any) -> Any:
    """log(1 + exp(x)); `logaddexp` is ten times slower."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


logsigmoid = op(
    "logsigmoid",
    lambda xp, x: -_log1pexp(xp, -x),
    x=lambda g, xp, x: g * use(xp, sigmoid, -x),
)
logsigmoid.__doc__ = """log(1 / (1 + exp(-x))), elementwise, exact where sigmoid rounds to 0.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.logsigmoid(mg.tensor([-1000.0]))
    tensor([-1000.])
    """


def _softplus_forward(xp: Any, x: Any, *, beta: float, threshold: float) -> Any:
    z = beta * x
    return xp.where(z > threshold, x, _log1pexp(xp, z) / beta)


def _softplus_rule(g: Any, xp: Any, x: Any, beta: float, threshold: float) -> Any:
    z = beta * x
    return xp.where(z > threshold, g, g * use(xp, sigmoid, z))


_softplus = op("softplus", _softplus_forward, x=_softplus_rule)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, a smooth ReLU; x itself where beta x > threshold.

    Its derivative is sigmoid(beta x). The threshold is PyTorch's; here nothing could overflow
    without it.

    Arguments:
        input: any shape.
        beta: above 0; the larger, the sharper the bend.

    Raises:
        ArgumentError: a beta that is not above 0.

    Source: Dugas et al. (2001).

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.softplus(mg.tensor([-1000.0, 0.0, 1000.0]))
    tensor([0.0000e+00, 6.9315e-01, 1.0000e+03])
    """
    if not beta > 0:
        raise ArgumentError(f"softplus: beta must be above 0, got {beta!r}")
    return _softplus(input, beta=beta, threshold=threshold)


def _silu_rule(g: Any, xp: Any, x: Any) -> Any:
    s = use(xp, sigmoid, x)
    return g * (s * (1 + x * (1 - s)))


silu = op("silu", lambda xp, x: x * _sigmoid_forward(xp, x), x=_silu_rule)
silu.__doc__ = """x sigmoid(x), elementwise; also called swish. Source: Elfwing et al. (2018).

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.silu(mg.tensor([0.0, 1.0]))
    tensor([0.    , 0.7311])
    """


def mish(input: Any) -> Tensor:
    """x tanh(softplus(x)), elementwise. Source: Misra (2020).

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.mish(mg.tensor([0.0, 100.0]))
    tensor([  0., 100.])
    """
    x = as_tensor(input)
    return x * tanh(softplus(x))


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x Phi(x), where Phi is the probability that a standard normal number is below x.

    "none":  Phi(x) = (1 + erf(x / sqrt(2))) / 2
    "tanh":  Phi(x) ~ (1 + tanh(u)) / 2 = sigmoid(2 u),  u = sqrt(2 / pi) (x + 0.044715 x^3)

    Raises:
        ArgumentError: another word for `approximate`.

    Source: Hendrycks & Gimpel (2016), section 2.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.gelu(mg.tensor([-10.0, 0.0, 1.0]))
    tensor([-0.    ,  0.    ,  0.8413])
    """
    x = as_tensor(input)
    if approximate == "none":
        return x * (0.5 + 0.5 * erf(x * math.sqrt(0.5)))
    if approximate == "tanh":
        # Beyond 30 the sigmoid is 0 or 1 in every dtype; x cubed would overflow further out.
        near = clip(x, -30, 30)
        # near * near: a power of 3 is a hundred times slower.
        return x * sigmoid(math.sqrt(8 / math.pi) * near * (1 + 0.044715 * (near * near)))
    raise ArgumentError(f"gelu: unknown approximate {approximate!r}; valid: 'none', 'tanh'")


softsign = op(
    "softsign",
    lambda xp, x: x / (1 + xp.abs(x)),
    x=lambda g, xp, x: g / xp.square(1 + xp.abs(x)),
)
softsign.__doc__ = """x / (1 + |x|), elementwise: like tanh, but it saturates slowly.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.softsign(mg.tensor([-1.0, 0.0, 9.0]))
    tensor([-0.5,  0. ,  0.9])
    """

tanhshrink = op(
    "tanhshrink",
    lambda xp, x: x - xp.tanh(x),
    x=lambda g, xp, x: g * xp.square(xp.tanh(x)),
)
tanhshrink.__doc__ = """x - tanh(x), elementwise.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.tanhshrink(mg.tensor([0.0, 10.0]))
    tensor([0., 9.])
    """


# -- along an axis -------------------------------------------------------------------------------


@torch_names
def glu(input: Any, axis: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the two halves of the input along `axis`.

    Returns:
        The shape of `input`, with half the size along `axis`.

    Raises:
        ShapeError: an odd size, or no such axis.

    Source: Dauphin et al. (2017), equation 1.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.glu(mg.tensor([4.0, 6.0, 0.0, 1000.0]))
    tensor([2., 6.])
    """
    x = as_tensor(input)
    axis = one_axis("glu", axis, x.ndim)
    if x.shape[axis] % 2:
        raise ShapeError(
            f"glu: axis {axis} of shape {x.shape} has no two halves; it needs an even size"
        )
    a, b = split(x, 2, axis)
    return a * sigmoid(b)


def _softmax_forward(xp: Any, x: Any, *, axis: int) -> Any:
    e = xp.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _log_softmax_forward(xp: Any, x: Any, *, axis: int) -> Any:
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))


# The op behind `softmax`, whose axis must lie on the front; other rules use it too.
softmax_on = op(
    "softmax",
    _softmax_forward,
    x=lambda g, out, axis: out * (g - (g * out).sum(axis=axis, keepdims=True)),
)
_log_softmax = op(
    "log_softmax",
    _log_softmax_forward,
    x=lambda g, xp, out, axis: g - xp.exp(out) * g.sum(axis=axis, keepdims=True),
)


@torch_names
def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x) / sum(exp(x)) along `axis`: positive numbers that add up to 1.

    Arguments:
        x: any shape with at least one axis.
        axis: the axis to normalize along (`dim=` is the same).

    Returns:
        The shape of `x`.

    Raises:
        ShapeError: there is no such axis.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.softmax(mg.tensor([[0.0, 0.0], [1000.0, 0.0]]), axis=1)
    tensor([[0.5, 0.5],
            [1. , 0. ]])
    """
    x = as_tensor(x)
    return softmax_on(x, axis=one_axis("softmax", axis, x.ndim))


@torch_names
def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """log(softmax(x)) = x - log(sum(exp(x))) along `axis`, exact where softmax rounds to 0.

    Arguments, result and errors as for `softmax`.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.log_softmax(mg.tensor([0.0, -1000.0]))
    tensor([    0., -1000.])
    """
    x = as_tensor(x)
    return _log_softmax(x, axis=one_axis("log_softmax", axis, x.ndim))
