"""Initial values for one tensor, written in place.

For a weight of shape (out_features, in_features), fan_in = in_features and fan_out =
out_features. Any further axes (a receptive field) multiply both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.random import Generator, generator_or_default
from minigrad.tape import no_grad
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


def fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out)."""
    if tensor.ndim < 2:
        raise ShapeError(
            f"{name}: a tensor of shape {tensor.shape} has no fan-in and fan-out; it needs two "
            "axes or more. For a bias use zeros_"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _draw(name: str, tensor: Tensor, values: Any) -> Tensor:
    if tensor.dtype.kind != "f":
        raise DtypeError(f"{name}: cannot fill a tensor of {tensor.dtype} with random fractions")
    return _write(name, tensor, values)


def _write(name: str, tensor: Tensor, values: Any) -> Tensor:
    if not tensor.is_leaf and tensor._base is None:
        # The weight of a parametrized layer is made anew at each look; these would be lost.
        raise GraphError(
            f"{name}: '{tensor.grad_fn.op.name}' computed this tensor from others, and writing "  # type: ignore[union-attr]
            "into it would not change those; initialize before parametrizing a layer"
        )
    with no_grad():
        return tensor.copy_(values)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers in [a, b); variance (b - a)^2 / 12. Returns the tensor.

    Raises:
        ArgumentError: a above b.
    """
    if not a <= b:
        raise ArgumentError(f"uniform_: a must not be above b, got a={a}, b={b}")
    return _draw("uniform_", tensor, generator_or_default(generator).uniform(tensor.shape, a, b))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers. Returns the tensor.

    Raises:
        ArgumentError: a negative std.

    >>> import minigrad as mg
    >>> normal_(mg.zeros(2), std=0.1, generator=mg.Generator(0))
    tensor([ 0.0126, -0.0132])
    """
    if std < 0:
        raise ArgumentError(f"normal_: std must not be negative, got {std}")
    draw = generator_or_default(generator).normal(tensor.shape, mean, std)
    return _draw("normal_", tensor, draw)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal numbers, of which those outside of [a, b] are drawn again.

    As in PyTorch `a` and `b` are values, not multiples of `std`. Cutting makes the variance
    smaller than std^2: within 2 std on both sides, 0.77 of it.

    Returns:
        The tensor.

    Raises:
        ArgumentError: std not above 0, or a not below b.

    >>> import minigrad as mg
    >>> w = trunc_normal_(mg.zeros(1000), std=0.5, a=-1, b=1, generator=mg.Generator(0))
    >>> bool(abs(w).max() <= 1)
    True
    """
    if not (std > 0 and a < b):
        raise ArgumentError(
            f"trunc_normal_: std must be above 0 and a below b, got std={std}, a={a}, b={b}"
        )
    draws = _truncated((a - mean) / std, (b - mean) / std, tensor.size, generator)
    # Rounding, also that to the dtype of the tensor, may step over a bound by a little.
    values = np.clip((mean + std * draws).astype(tensor.dtype), a, b)
    return _draw("trunc_normal_", tensor, values.reshape(tensor.shape))


def _truncated(low: float, high: float, count: int, generator: Generator | None) -> Any:
    """Standard normal numbers within [low, high], by rejection from uniform ones.

    That is as good far out in a tail, where plain redrawing would never end.
    """
    source = generator_or_default(generator)
    peak = min(max(low, 0.0), high)  # the place in [low, high] with the largest density
    # What lies beyond has a density below e^-37 times that of the peak.
    reach = math.sqrt(peak * peak + 74)
    low, high = max(low, -reach), min(high, reach)
    found = np.empty(0)
    while found.size < count:
        z = source.uniform((2 * (count - found.size) + 16,), low, high)
        height = source.uniform(z.shape)
        found = np.concatenate([found, z[height < np.exp((peak * peak - z * z) / 2)]])
    return found[:count]


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number. Returns the tensor.

    Raises:
        DtypeError: a fraction for a tensor of integers.
    """
    if tensor.dtype.kind != "f" and val != int(val):
        raise DtypeError(f"constant_: a tensor of {tensor.dtype} cannot hold {val}")
    return _write("constant_", tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros. Returns the tensor."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones. Returns the tensor."""
    return constant_(tensor, 1.0)


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Uniform in +-sqrt(3 / fan_in), with the variance of `lecun_normal_`. Returns the tensor.

    Raises:
        ShapeError: fewer than two axes.
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


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """A random orthogonal matrix, times `gain`: W W^T = gain^2 I, or W^T W if W is taller.

    A linear network of such layers keeps every length, at any depth. The distribution is uniform
    (Haar's): all rotations are equally likely.

    Arguments:
        tensor: at least two axes; those after the first count as columns.
        gain: factor on all singular values.
        generator: where the numbers come from.

    Returns:
        The tensor.

    Raises:
        ShapeError: fewer than two axes.

    Sources: Saxe, McClelland & Ganguli (2014); Mezzadri (2007) for the signs.

    >>> import minigrad as mg
    >>> w = orthogonal_(mg.zeros(2, 3, dtype=mg.float64), generator=mg.Generator(0))
    >>> bool(abs(w @ w.T - mg.eye(2)).max() < 1e-12)
    True
    """
    fans("orthogonal_", tensor)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    draw = generator_or_default(generator).normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(draw)
    # The signs that QR happens to choose are not random; those of R's diagonal make up for it.
    q = q * np.sign(np.diag(r))
    q = q if rows >= columns else q.T
    return _draw("orthogonal_", tensor, gain * q.reshape(tensor.shape))


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the main diagonal, zeros elsewhere. Returns the tensor.

    Raises:
        ShapeError: not a matrix.

    >>> import minigrad as mg
    >>> eye_(mg.zeros(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _check_matrix("eye_", tensor)
    return _write("eye_", tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal numbers, of which the share `sparsity` in each column, rounded up, is set to 0.

    Arguments:
        tensor: a matrix.
        sparsity: 0 to 1.
        std: standard deviation of the others.
        generator: where the numbers come from.

    Returns:
        The tensor.

    Raises:
        ShapeError: not a matrix.
        ArgumentError: a sparsity outside of 0 to 1, or a negative std.

    Source: Martens (2010), Deep learning via Hessian-free optimization, section 5.

    >>> import minigrad as mg
    >>> (sparse_(mg.zeros(8, 2), 0.75, generator=mg.Generator(0)) == 0).sum(axis=0)
    tensor([6, 6])
    """
    _check_matrix("sparse_", tensor)
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparse_: sparsity must lie in 0 to 1, got {sparsity}")
    if std < 0:
        raise ArgumentError(f"sparse_: std must not be negative, got {std}")
    source = generator_or_default(generator)
    values = source.normal(tensor.shape, 0.0, std)
    # Per column, the places of its smallest random numbers: that many of them, at random.
    order = np.argsort(source.uniform(tensor.shape), axis=0)
    empty = order[: math.ceil(sparsity * tensor.shape[0])]
    np.put_along_axis(values, empty, 0.0, axis=0)
    return _draw("sparse_", tensor, values)


def _check_matrix(name: str, tensor: Tensor) -> None:
    if tensor.ndim != 2:
        raise ShapeError(f"{name}: needs a matrix, two axes, got shape {tensor.shape}")
