"""The deep networks that the lessons drive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import Generator, generator_or_default

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
INITS = ("default", "xavier", "he")
NORMS: dict[str, Callable[..., nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def deep_mlp(
    depth: int,
    width: int,
    activation: str = "tanh",
    init: str = "xavier",
    norm: str = "none",
    in_features: int = 64,
    out_features: int = 10,
    bias: bool = True,
    generator: Generator | None = None,
    dtype: Any = np.float32,
) -> nn.Sequential:
    """A plain deep network: `depth` Linear layers with the same activation between all of them.

    Layer l computes z_l = W_l a_(l-1) + b_l and a_l = phi(norm(z_l)); the last one stops at z.
    The parts are named `layer1.linear`, `layer1.norm`, `layer1.act`, and so on up to
    `layer<depth>.linear`, counted from the input. Every layer draws its numbers from
    `generator.fork(name)`: a deeper network begins with the same layers.

    Arguments:
        depth: number of Linear layers, the last one included.
        width: width of all layers but the last.
        activation: "identity", "relu", "sigmoid" or "tanh".
        init: "default", PyTorch's own: weights and biases uniform in +-1/sqrt(fan_in);
            "xavier": normal weights of variance 2 / (fan_in + fan_out), biases 0
            (Glorot & Bengio 2010);
            "he": normal weights of variance 2 / fan_in, biases 0 (He et al. 2015).
            Neither is adapted to the activation: what that costs is for the lessons to show.
        norm: "none", "batch" or "layer", between Linear and activation.
        in_features, out_features: width of the input and of the output.
        bias: give the Linear layers a bias.
        generator: source of the random numbers. The same seed gives the same network. By
            default one is seeded from the generator of `mg.manual_seed`.
        dtype: floating-point dtype of the parameters.

    Returns:
        An `nn.Sequential` from (batch, in_features) to (batch, out_features).

    Raises:
        ArgumentError: an unknown name, or a depth or width below 1.

    >>> import minigrad as mg
    >>> net = mg.models.deep_mlp(3, 16, "relu", "he", generator=mg.Generator(0))
    >>> [name for name, m in net.named_modules() if isinstance(m, mg.nn.Linear)]
    ['layer1.linear', 'layer2.linear', 'layer3.linear']
    >>> net(mg.ones(5, 64)).shape
    (5, 10)
    """
    for name, value, valid in (
        ("activation", activation, ACTIVATIONS),
        ("init", init, INITS),
        ("norm", norm, ("none", *NORMS)),
    ):
        if value not in valid:
            raise ArgumentError(
                f"deep_mlp: unknown {name} {value!r}; use one of {', '.join(valid)}"
            )
    for name, number in (("depth", depth), ("width", width)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(
                f"deep_mlp: {name} must be a whole number of at least 1, got {number!r}"
            )
    if generator is None:
        # Forking the default generator itself would make every network the same.
        generator = Generator(int(generator_or_default(None).integers((), 0, 2**63)))

    layers: dict[str, nn.Module] = {}
    fan_in = in_features
    for index in range(1, depth + 1):
        fan_out = width if index < depth else out_features
        parts: dict[str, nn.Module] = {}
        draws = generator.fork(f"layer{index}.linear")
        parts["linear"] = _linear(fan_in, fan_out, init, bias, draws, dtype)
        if index < depth:
            if norm in NORMS:
                parts["norm"] = NORMS[norm](width, dtype=dtype)
            parts["act"] = ACTIVATIONS[activation]()
        layers[f"layer{index}"] = nn.Sequential(parts)
        fan_in = fan_out
    return nn.Sequential(layers)


def _linear(
    fan_in: int, fan_out: int, init: str, bias: bool, generator: Generator, dtype: Any
) -> nn.Linear:
    linear = nn.Linear(fan_in, fan_out, bias=bias, generator=generator, dtype=dtype)
    if init == "default":
        return linear
    if init == "xavier":
        nn.init.xavier_normal_(linear.weight, generator=generator)
    else:
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu", generator=generator)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)
    return linear
