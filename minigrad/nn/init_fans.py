"""Initial values of a variance that follows from a weight's shape, written in place.

For a weight of shape (out_features, in_features), fan_in = in_features and fan_out =
out_features. Any further axes (a receptive field) multiply both. A tensor without elements is
given back as it is.
"""

from __future__ import annotations

import math

from minigrad.errors import ArgumentError
from minigrad.nn.init_tensors import fans, normal_, uniform_
from minigrad.random import Generator
from minigrad.tensor import Tensor

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_CONVOLUTIONS = {f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the standard deviation that PyTorch recommends for an activation.

    linear 1, sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + slope^2)), selu 3/4.
    Convolutions count as linear. For other activations see `critical_`, which works it out.

    Arguments:
        nonlinearity: one of these names, or "conv1d" and its like.
        param: for leaky_relu, its negative slope (default 0.01).

    Raises:
        ArgumentError: an unknown name.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity in _CONVOLUTIONS:
        return 1.0
    if nonlinearity not in _GAINS:
        valid = ", ".join(sorted([*_GAINS, "leaky_relu"]))
        raise ArgumentError(
            f"calculate_gain: unknown nonlinearity {nonlinearity!r}; valid: {valid}"
        )
    return _GAINS[nonlinearity]


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Uniform in +-sqrt(3 / fan_in), with the variance of `lecun_normal_`. Returns the tensor.

    Raises:
        ShapeError: fewer than two axes.

    >>> import minigrad as mg
    >>> w = lecun_uniform_(mg.zeros(200, 300), generator=mg.Generator(0))
    >>> bool(0.099 < abs(w).max() <= 0.1)
    True
    """
    fan_in, _ = fans("lecun_uniform_", tensor)
    bound = math.sqrt(3 / fan_in)
    return uniform_(tensor, -bound, bound, generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Normal with standard deviation 1 / sqrt(fan_in). Returns the tensor.

    A sum of fan_in products then has the variance of one input; the start that SELU asks for.

    Raises:
        ShapeError: fewer than two axes.

    Source: LeCun, Bottou, Orr & Mueller (1998), Efficient BackProp, equation 16.

    >>> import minigrad as mg
    >>> w = lecun_normal_(mg.zeros(200, 400), generator=mg.Generator(0))
    >>> abs(w.std().item() - 0.05) < 0.001
    True
    """
    fan_in, _ = fans("lecun_normal_", tensor)
    return normal_(tensor, 0.0, 1 / math.sqrt(fan_in), generator)


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
    fan_in, fan_out = fans("xavier_uniform_", tensor)
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with standard deviation gain sqrt(2 / (fan_in + fan_out)). Returns the tensor.

    Raises:
        ShapeError: fewer than two axes.

    Source: the variance of Glorot & Bengio (2010), equation 12.

    >>> import minigrad as mg
    >>> w = xavier_normal_(mg.zeros(300, 500), generator=mg.Generator(0))
    >>> abs(w.std().item() - 0.05) < 0.001
    True
    """
    fan_in, fan_out = fans("xavier_normal_", tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / (fan_in + fan_out)), generator)


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"{name}: unknown mode {mode!r}; valid: fan_in, fan_out")
    fan_in, fan_out = fans(name, tensor)
    fan = fan_in if mode == "fan_in" else fan_out
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

    >>> import minigrad as mg
    >>> w = kaiming_uniform_(mg.zeros(200, 600), generator=mg.Generator(0))
    >>> bool(0.099 < abs(w).max() <= 0.1)
    True
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
