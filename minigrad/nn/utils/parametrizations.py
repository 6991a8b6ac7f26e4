"""Normalizations of weights, as parametrizations of a layer."""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn.arguments import check_count
from minigrad.nn.module import Module
from minigrad.nn.utils.parametrize import plain_parameter, register_parametrization
from minigrad.ops import fused_norms
from minigrad.ops.fused_norms import MatrixLayout, Memo
from minigrad.ops.spelling import one_axis
from minigrad.random import Generator, generator_or_default
from minigrad.tensor import Tensor


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def _folded(self, weight: Tensor) -> tuple[int, ...]:
        kept = () if self.dim is None else (one_axis("weight_norm", self.dim, weight.ndim),)
        return tuple(a for a in range(weight.ndim) if a not in kept)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        axes = self._folded(weight)
        length = ops.sqrt(ops.sum(weight * weight, axes, keepdims=True))
        if not (length > 0).all():
            raise ArgumentError(
                f"weight_norm: a weight of shape {weight.shape} has a part that is 0 throughout, "
                "which has no direction; initialize it otherwise first"
            )
        return length if self.dim is not None else length.reshape(()), weight

    def forward(self, length: Tensor, direction: Tensor) -> Tensor:
        return fused_norms.weight_norm(direction, length, axes=self._folded(direction))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Weight normalization: w = g v / |v|, the length g and the direction v learned apart.

    Arguments:
        module: a layer.
        name: which of its parameters.
        dim: the axis along which each part has a length of its own; by default each output has.
            None: one length for all.

    Returns:
        The layer, with the parameters `parametrizations.weight.original0` (g) and `original1`
        (v) in place of `weight`, which has the same value as before.

    Raises:
        ArgumentError: no such parameter, a part of it is 0, or `dim` is negative.

    Source: Salimans & Kingma (2016), equations 2 and 3.

    >>> from minigrad import nn
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))
    >>> layer.parametrizations.weight.original0.shape
    (2, 1)
    """
    if dim is not None and dim < 0:
        raise ArgumentError(
            f"weight_norm: dim = {dim} would mean one length for all in PyTorch and the last axis "
            "elsewhere; say dim=None, or count the axis from the front"
        )
    return register_parametrization(module, name, _WeightNorm(dim))


class _SpectralNorm(Module):
    """Divides by sigma = u^T W v; u and v come near the first singular vectors of W."""

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, iterations: int, eps: float, dim: int, generator: Generator | None
    ) -> None:
        super().__init__()
        if weight.ndim < 2:
            raise ShapeError(
                f"spectral_norm: needs a matrix, two axes or more, got shape {weight.shape}"
            )
        self.dim = one_axis("spectral_norm", dim, weight.ndim)
        self.iterations = check_count("spectral_norm", "n_power_iterations", iterations)
        self.eps = eps
        source = generator_or_default(generator)
        outputs = weight.shape[self.dim]
        for side, size in (("_u", outputs), ("_v", weight.size // outputs)):
            start = ops.tensor(source.normal((size,)), dtype=weight.dtype, device=weight.device)
            self.register_buffer(side, start)
        self._improve(weight, 15)

    def _improve(self, weight: Tensor, iterations: int) -> None:
        """The power method: each product with W takes u and v nearer."""
        u, v = self._u.data, self._v.data
        w = weight.device.xp.moveaxis(weight.data, self.dim, 0).reshape(len(u), -1)
        for _ in range(iterations):
            u[...] = self._normalized(w @ v)
            v[...] = self._normalized(w.T @ u)
        self._u.mark_written()
        self._v.mark_written()

    def _normalized(self, x: Any) -> Any:
        return x / max(float((x * x).sum()) ** 0.5, self.eps)

    def forward(self, weight: Tensor) -> Tensor:
        if self.training:
            self._improve(weight, self.iterations)
        shape = list(weight.shape)
        shape.insert(0, shape.pop(self.dim))
        uv = ops.outer(self._u, self._v).reshape(shape).moveaxis(0, self.dim)
        return fused_norms.spectral_norm(weight, uv)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
    generator: Generator | None = None,
) -> Module:
    """Spectral normalization: W / sigma, where sigma is the largest singular value of W.

    The layer then stretches nothing by more than 1. sigma = u^T W v is estimated by the power
    method, which goes on by `n_power_iterations` at each look at the weight in training, and
    stands still in evaluation.

    Arguments:
        module: a layer.
        name: which of its parameters; two axes or more.
        n_power_iterations: steps of the power method per forward; 15 are made at the start.
        eps: lower bound on the lengths that u and v are divided by.
        dim: the axis of the outputs; the other axes count as columns. None: 0.
        generator: where the first u and v come from.

    Returns:
        The layer, with the parameter `parametrizations.weight.original` (W) in place of `weight`.

    Raises:
        ArgumentError: no such parameter, or less than one iteration.
        ShapeError: a parameter with fewer than two axes.

    Source: Miyato, Kataoka, Koyama & Yoshida (2018), algorithm 1.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4), n_power_iterations=100)
    >>> round(mg.linalg.norm(layer.weight, 2).item(), 4)
    1.0
    """
    weight = plain_parameter(module, name).detach()
    axis = 0 if dim is None else dim
    made = _SpectralNorm(weight, n_power_iterations, eps, axis, generator)
    return register_parametrization(module, name, made)


class _WeightStandardization(Module):
    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, weight: Tensor) -> Tensor:
        view = (len(weight), weight.size // len(weight))
        layout = MatrixLayout(view, 1, self.eps, weight.device.xp, weight.dtype)
        return fused_norms.weight_standardization(weight, None, None, layout=layout, memo=Memo())


def weight_standardization(module: Module, name: str = "weight", eps: float = 1e-5) -> Module:
    """Standardizes the weights of each output: (W - mean) / sqrt(var + eps), over its inputs.

    Each output then has weights of mean 0 and variance 1, which is fan_in times what keeps the
    size of a signal: it is meant to stand before a normalization layer.

    Arguments:
        module: a layer.
        name: which of its parameters; two axes or more.
        eps: added to the variance.

    Returns:
        The layer, with the parameter `parametrizations.weight.original` (W) in place of `weight`.

    Raises:
        ArgumentError: no such parameter.
        ShapeError: fewer than two weights per output.

    Source: Qiao, Wang, Liu, Shen & Yuille (2019), Micro-batch training with batch-channel
    normalization and weight standardization.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> layer = nn.utils.parametrizations.weight_standardization(nn.Linear(100, 2))
    >>> abs(layer.weight.mean(axis=1)).max().item() < 1e-5
    True
    """
    weight = plain_parameter(module, name)
    if weight.ndim < 2 or weight.size < 2 * len(weight):
        raise ShapeError(
            f"weight_standardization: '{name}' of shape {weight.shape} has fewer than two weights "
            "per output, which have no variance"
        )
    return register_parametrization(module, name, _WeightStandardization(eps))
