"""deep_mlp: Linear layers as deep as one likes, plain or with residual connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.models.names import (
    ACTIVATIONS,
    GROUPS,
    NORMS,
    WEIGHT_NORMS,
    check_name,
    fill,
    initialize,
)
from minigrad.nn.init_networks import forkable
from minigrad.random import Generator

RESIDUALS = ("none", "pre", "post")


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
    gain: float = 1.0,
    residual: str = "none",
    residual_scale: float | str = 1.0,
    block: int = 2,
) -> nn.Sequential:
    """A deep network: `depth` Linear layers with the same activation between all of them.

    Layer l computes z_l = W_l a_(l-1) + b_l and a_l = phi(norm(z_l)); the last one stops at z.
    The parts are named `layer1.linear`, `layer1.norm`, `layer1.act`, and so on up to
    `layer<depth>.linear`, counted from the input. Every layer draws its numbers from
    `generator.fork(name)`: a deeper network begins with the same layers.

    With `residual`, the layers between the first and the last stand in blocks with a way around
    them. "pre" goes around z, y = z + s branch(z), where a branch is norm, phi, Linear, as often
    as `block` says (He et al. 2016, Identity mappings; Xiong et al. 2020). "post" goes around a,
    y = phi(norm(a + s branch(a))), and a branch begins and ends with a Linear layer (phi after the
    sum: He et al. 2016, Deep residual learning; norm after the sum: Vaswani et al. 2017). Without
    the way around, both are the plain network, with the same weights. The blocks are named
    `block1`, ...; within one, `branch.layer2.linear`, ...

    Arguments:
        depth: number of Linear layers, the last one included.
        width: width of all layers but the last.
        activation: a name in `models.ACTIVATIONS`, such as "identity", "relu", "sigmoid", "tanh".
        init: a name in `models.INITS`:
            "default", PyTorch's own: weights and biases uniform in +-1/sqrt(fan_in);
            and, with biases 0,
            "xavier": normal of variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010);
            "he": normal of variance 2 / fan_in (He et al. 2015);
            "lecun": normal of variance 1 / fan_in (LeCun et al. 1998);
            these three also with "_uniform" after the name;
            "orthogonal" (Saxe et al. 2014); "eye", ones on the diagonal; "zeros";
            and with a number "normal:STD", "trunc_normal:STD" (cut at 2 STD), "uniform:BOUND",
            "sparse:SHARE" (that share zeros, the others of STD 0.01), "constant:VALUE".
            None is adapted to the activation: what that costs is for the lessons to show.
            Those for whole networks are called on the result, `nn.init.critical_(net, "tanh")`;
            likewise `fixup_`, `skipinit_` and `lsuv_`.
        norm: "none"; "batch", "layer", "rms" or "group" (4 groups, so of a width that 4 divides),
            between Linear and activation; or of the weights of all Linear layers "weight",
            "standardized" or "spectral".
        in_features, out_features: width of the input and of the output.
        bias: give the Linear layers a bias.
        generator: source of the random numbers. The same seed gives the same network. By
            default one is seeded from the generator of `mg.manual_seed`.
        dtype: floating-point dtype of the parameters.
        gain: a factor on all initial weights.
        residual: "none", "pre" or "post".
        residual_scale: s, a number; or "learned", one per block, first 0 (SkipInit, De & Smith
            2020).
        block: Linear layers in a residual branch; depth must be 2 + a multiple of it.

    Returns:
        An `nn.Sequential` from (batch, in_features) to (batch, out_features).

    Raises:
        ArgumentError: an unknown name, a depth, width or block below 1, a width that groups do
            not fill, or a depth that blocks do not fill.

    >>> import minigrad as mg
    >>> net = mg.models.deep_mlp(3, 16, "relu", "he", generator=mg.Generator(0))
    >>> [name for name, m in net.named_modules() if isinstance(m, mg.nn.Linear)]
    ['layer1.linear', 'layer2.linear', 'layer3.linear']
    >>> net(mg.ones(5, 64)).shape
    (5, 10)
    """
    check_name("deep_mlp", "activation", activation, ACTIVATIONS)
    fill("deep_mlp", init)
    check_name("deep_mlp", "norm", norm, ("none", *NORMS, *WEIGHT_NORMS))
    check_name("deep_mlp", "residual", residual, RESIDUALS)
    if isinstance(residual_scale, str) and residual_scale != "learned":
        raise ArgumentError(
            f"deep_mlp: residual_scale must be a number or 'learned', got {residual_scale!r}"
        )
    for name, number in (("depth", depth), ("width", width), ("block", block)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(
                f"deep_mlp: {name} must be a whole number of at least 1, got {number!r}"
            )
    if norm == "group" and width % GROUPS:
        raise ArgumentError(
            f"deep_mlp: norm='group' makes {GROUPS} groups, so width must be a multiple of "
            f"{GROUPS}, got {width}; use {-(-width // GROUPS) * GROUPS}, or norm='layer'"
        )
    if residual != "none" and (depth < 2 + block or (depth - 2) % block):
        raise ArgumentError(
            f"deep_mlp: depth {depth} is not 2 + a multiple of block={block}; with residual, the "
            f"layers between first and last stand in blocks of {block}, so use depth "
            f"{2 + block * max(1, (depth - 2) // block)}, or another block"
        )
    layers = _Layers(
        depth, width, activation, init, norm, in_features, out_features, bias,
        forkable(generator), dtype, gain, residual_scale, block,
    )  # fmt: skip
    return {"none": layers.plain, "pre": layers.pre, "post": layers.post}[residual]()


@dataclass(frozen=True)
class _Layers:
    """The arguments of `deep_mlp`, and the three ways to put its layers together."""

    depth: int
    width: int
    activation: str
    init: str
    norm: str
    in_features: int
    out_features: int
    bias: bool
    generator: Generator
    dtype: Any
    gain: float
    residual_scale: float | str
    block: int

    def linear(self, index: int) -> nn.Module:
        """The Linear layer of number `index`, counted from 1."""
        fan_in = self.in_features if index == 1 else self.width
        fan_out = self.out_features if index == self.depth else self.width
        draws = self.generator.fork(f"layer{index}.linear")
        layer = nn.Linear(fan_in, fan_out, bias=self.bias, generator=draws, dtype=self.dtype)
        initialize("deep_mlp", layer.weight, self.init, self.gain, draws)
        if layer.bias is not None and self.init != "default":
            nn.init.zeros_(layer.bias)
        return WEIGHT_NORMS[self.norm](layer, draws) if self.norm in WEIGHT_NORMS else layer

    def act(self) -> dict[str, nn.Module]:
        """What comes between two Linear layers."""
        parts = (
            {"norm": NORMS[self.norm](self.width, dtype=self.dtype)} if self.norm in NORMS else {}
        )
        return {**parts, "act": ACTIVATIONS[self.activation]().to(self.dtype)}

    def plain(self) -> nn.Sequential:
        hidden = {
            f"layer{i}": nn.Sequential({"linear": self.linear(i), **self.act()})
            for i in range(1, self.depth)
        }
        last = nn.Sequential({"linear": self.linear(self.depth)})
        return nn.Sequential({**hidden, f"layer{self.depth}": last})

    def pre(self) -> nn.Sequential:
        layers: dict[str, nn.Module] = {"layer1": nn.Sequential({"linear": self.linear(1)})}
        for name, indices in self.blocks():
            layers[name] = self.around(
                {i: {**self.act(), "linear": self.linear(i)} for i in indices}
            )
        last = {**self.act(), "linear": self.linear(self.depth)}
        return nn.Sequential({**layers, f"layer{self.depth}": nn.Sequential(last)})

    def post(self) -> nn.Sequential:
        first = nn.Sequential({"linear": self.linear(1), **self.act()})
        layers: dict[str, nn.Module] = {"layer1": first}
        for name, indices in self.blocks():
            branch = {i: {"linear": self.linear(i), **self.act()} for i in indices[:-1]}
            branch[indices[-1]] = {"linear": self.linear(indices[-1])}
            layers[name] = nn.Sequential({"sum": self.around(branch), **self.act()})
        last = nn.Sequential({"linear": self.linear(self.depth)})
        return nn.Sequential({**layers, f"layer{self.depth}": last})

    def blocks(self) -> list[tuple[str, range]]:
        """Name and layer numbers of each block."""
        starts = range(2, self.depth, self.block)
        return [(f"block{k}", range(i, i + self.block)) for k, i in enumerate(starts, start=1)]

    def around(self, branch: dict[int, dict[str, nn.Module]]) -> nn.Residual:
        layers = {f"layer{i}": nn.Sequential(parts) for i, parts in branch.items()}
        scale: Any = self.residual_scale
        if scale == "learned":
            scale = nn.Parameter(np.zeros((), self.dtype))
        return nn.Residual(nn.Sequential(layers), scale)
