"""Initial values for weights, written in place.

For a weight of shape (out_features, in_features), fan_in = in_features and fan_out =
out_features. Any further axes (a receptive field) multiply both.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.random import Generator, generator_or_default
from minigrad.tape import no_grad
from minigrad.tensor import Tensor

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the standard deviation that PyTorch recommends for an activation.

    linear 1, sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + slope^2)), selu 3/4.

    Arguments:
        nonlinearity: one of these names.
        param: for leaky_relu, its negative slope (default 0.01).

    Raises:
        ArgumentError: an unknown name.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        valid = ", ".join(sorted([*_GAINS, "leaky_relu"]))
        raise ArgumentError(
            f"calculate_gain: unknown nonlinearity {nonlinearity!r}; valid: {valid}"
        )
    return _GAINS[nonlinearity]


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out)."""
    if tensor.ndim < 2:
        raise ShapeError(
            f"{name}: a tensor of shape {tensor.shape} has no fan-in and fan-out; it needs two "
            "axes or more. For a bias use zeros_"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _write(name: str, tensor: Tensor, values: Any) -> Tensor:
    if tensor.dtype.kind != "f":
        raise DtypeError(f"{name}: cannot fill a tensor of {tensor.dtype} with random fractions")
    with no_grad():
        return tensor.copy_(values)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers in [a, b); variance (b - a)^2 / 12. Returns the tensor."""
    return _write("uniform_", tensor, generator_or_default(generator).uniform(tensor.shape, a, b))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers. Returns the tensor.

    >>> import minigrad as mg
    >>> normal_(mg.zeros(2), std=0.1, generator=mg.Generator(0))
    tensor([ 0.0126, -0.0132])
    """
    if std < 0:
        raise ArgumentError(f"normal_: std must not be negative, got {std}")
    draw = generator_or_default(generator).normal(tensor.shape, mean, std)
    return _write("normal_", tensor, draw)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number. Returns the tensor."""
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros. Returns the tensor."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones. Returns the tensor."""
    return constant_(tensor, 1.0)


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in +-gain sqrt(6 / (fan_in + fan_out)). Returns the tensor.

    The variance gain^2 * 2 / (fan_in + fan_out) is the compromise between keeping the variance
    of activations (1 / fan_in) and of gradients (1 / fan_out) through a linear layer.

    Raises:
        ShapeError: fewer than two axes.

    Source: Glorot & Bengio (2010), equation 16.

    >>> import minigrad as mg
    >>> w = xavier_uniform_(mg.zeros(300, 300), generator=mg.Generator(0))
    >>> bool(abs(w).max() <= 0.1)
    True
    """
    fan_in, fan_out = _fans("xavier_uniform_", tensor)
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with standard deviation gain sqrt(2 / (fan_in + fan_out)). Returns the tensor.

    Raises:
        ShapeError: fewer than two axes.

    Source: the variance of Glorot & Bengio (2010), equation 12.
    """
    fan_in, fan_out = _fans("xavier_normal_", tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / (fan_in + fan_out)), generator)


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"{name}: unknown mode {mode!r}; valid: fan_in, fan_out")
    fans = _fans(name, tensor)
    fan = fans[0] if mode == "fan_in" else fans[1]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in +-gain sqrt(3 / fan), with the variance of `kaiming_normal_`.

    Arguments and errors as there. Returns the tensor.
    """
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with standard deviation gain / sqrt(fan): for ReLU, sqrt(2 / fan_in).

    Arguments:
        tensor: shape (fan_out, fan_in, ...), written in place.
        a: the negative slope of a leaky ReLU (0 is a plain ReLU); others do not use it.
        mode: "fan_in" keeps the variance of activations, "fan_out" that of gradients.
        nonlinearity: see `calculate_gain`.
        generator: where the numbers come from.

    Returns:
        The tensor.

    Raises:
        ShapeError: fewer than two axes.
        ArgumentError: an unknown mode or nonlinearity.

    Source: He et al. (2015), equation 10, and 15 for a slope.

    >>> import minigrad as mg
    >>> w = kaiming_normal_(mg.zeros(400, 200), generator=mg.Generator(0))
    >>> abs(w.std().item() - 0.1) < 0.001
    True
    """
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)
