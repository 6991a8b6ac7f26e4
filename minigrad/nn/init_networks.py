"""Initial values for a whole network, written in place.

They act on its Linear layers: the modules with `in_features` and a weight. A layer draws from
`generator.fork(path)`, so a deeper network begins with the same layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from minigrad.errors import ArgumentError, GraphError
from minigrad.meanfield import critical_point
from minigrad.nn import functional as F
from minigrad.nn.init_fans import kaiming_normal_
from minigrad.nn.init_tensors import constant_, fans, normal_, orthogonal_, zeros_
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.nn.residual import Residual
from minigrad.random import Generator, generator_or_default
from minigrad.tape import no_grad
from minigrad.tensor import Tensor

Target = TypeVar("Target", Tensor, Module)
Layer = Any  # a Module with `in_features`, `weight` and `bias`

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x, "linear": lambda x: x,
    "celu": F.celu, "elu": F.elu, "hardsigmoid": F.hardsigmoid, "hardtanh": F.hardtanh,
    "gelu": F.gelu, "leaky_relu": F.leaky_relu, "mish": F.mish, "relu": F.relu,
    "relu6": F.relu6, "selu": F.selu, "sigmoid": F.sigmoid, "silu": F.silu,
    "softsign": F.softsign, "tanh": F.tanh,
}  # fmt: skip


def critical_(
    target: Target,
    activation: str | Callable[[Tensor], Tensor],
    sigma_b: float = 0.0,
    generator: Generator | None = None,
) -> Target:
    """Weights and biases on the edge of chaos, where signals reach deepest into a wide network.

    Weights are normal with standard deviation sigma_w / sqrt(fan_in), biases with sigma_b, and
    sigma_w is such that gradients neither vanish nor explode (`meanfield.critical_point`): 1 for
    tanh and sqrt(2) for ReLU without biases, which for ReLU is He's initialization.

    Arguments:
        target: a network; or a weight of shape (fan_out, fan_in, ...), of which no bias is set.
        activation: its name in `nn.functional`, "identity", or any function of Tensors that works
            element by element.
        sigma_b: standard deviation of the biases.
        generator: where the numbers come from.

    Returns:
        The target.

    Raises:
        ArgumentError: an unknown activation; one without a critical point at this sigma_b; a
            layer without a bias for a sigma_b above 0.

    Sources: Poole et al. (2016); Schoenholz et al. (2017); Hayou, Doucet & Rousseau (2019).

    >>> import minigrad as mg
    >>> w = critical_(mg.zeros(400, 200), "relu", generator=mg.Generator(0))
    >>> abs(w.std().item() - 0.1) < 0.001
    True
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ArgumentError(
                f"critical_: unknown activation {activation!r}; valid: "
                f"{', '.join(sorted(ACTIVATIONS))}, or a function of Tensors"
            )
        activation = ACTIVATIONS[activation]
    gain = critical_point(activation, sigma_b).sigma_w
    if isinstance(target, Tensor):
        _fan_in_normal(target, gain, generator)
        return target
    layers = _linear_layers("critical_", target)
    for path, layer in layers.items():
        if layer.bias is None and sigma_b > 0:
            raise ArgumentError(
                f"critical_: sigma_b={sigma_b} needs biases, and layer '{path}' has none; use "
                "sigma_b=0, or bias=True"
            )
    generator = forkable(generator)
    for path, layer in layers.items():
        draws = generator.fork(path)
        _fan_in_normal(layer.weight, gain, draws)
        if layer.bias is not None:
            normal_(layer.bias, 0.0, sigma_b, draws)
    return target


def lsuv_(model: Module, *inputs: Any, generator: Generator | None = None) -> Module:
    """Layer-sequential unit-variance: orthonormal weights, each layer scaled to variance 1.

    A batch passes through the model once. In each Linear layer that it comes to, the weights are
    divided by the standard deviation of the layer's output, over examples and features; then so
    is the output, with which the batch goes on. Biases are set to 0, which makes one division
    exact, where the paper repeats it until the variance is near enough to 1.

    Arguments:
        model: called once as it is; in training, dropout and running statistics take part.
        inputs: a batch that is like the data, as the model takes it.
        generator: where the orthonormal weights come from.

    Returns:
        The model.

    Raises:
        ArgumentError: no Linear layers; one whose output does not vary, or that the batch does
            not reach; two that share a weight. No weight is changed then.

    Source: Mishkin & Matas (2016), All you need is a good init, algorithm 1.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32))
    >>> x = mg.randn(64, 8)
    >>> round(nn.init.lsuv_(net, x)(x).var().item(), 4)
    1.0
    """
    layers = _linear_layers("lsuv_", model)
    _check_own_weights(layers)
    parameters = [p for layer in layers.values() for p in layer.parameters(recurse=False)]
    before = [p.data.copy() for p in parameters]
    pending = {layer: path for path, layer in layers.items()}

    def rescale(layer: Layer, args: tuple[Any, ...], out: Tensor) -> Any:
        path = pending.pop(layer, None)
        if path is None:
            return None  # it runs a second time
        deviation = float(out.data.var(dtype=np.float64)) ** 0.5
        if not 0 < deviation < math.inf:
            raise ArgumentError(
                f"lsuv_: the output of layer '{path}' has standard deviation {deviation:g} on "
                "this batch; give a batch of different, finite examples, and check that no "
                "activation before the layer turns all of them off"
            )
        layer.weight.data /= deviation
        return out / deviation

    handles = [layer.register_forward_hook(rescale) for layer in layers.values()]
    generator = forkable(generator)
    try:
        for path, layer in layers.items():
            orthogonal_(layer.weight, generator=generator.fork(path))
            if layer.bias is not None:
                zeros_(layer.bias)
        with no_grad():
            model(*inputs)
        if pending:
            raise ArgumentError(
                f"lsuv_: the batch does not reach layer '{next(iter(pending.values()))}', so its "
                "scale stays unknown; give inputs that the model passes through all of its layers"
            )
    except Exception:
        for parameter, values in zip(parameters, before, strict=True):
            parameter.data[...] = values
            parameter.mark_written()
        raise
    finally:
        for handle in handles:
            handle.remove()
    return model


def fixup_(model: Module, generator: Generator | None = None) -> Module:
    """Fixup, for a stack of `Residual` blocks that is to train without normalization layers.

    With L blocks in the network and m Linear layers in the branch of one:

        the last layer of each branch, and that of the network (its classifier): 0
        the other layers of a branch: He's initialization times L^(-1 / (2m - 2))
        all other layers: He's initialization
        the scale of a block, where it is a Parameter: 1
        biases: 0

    so that a step of gradient descent on the weights changes the network's output by as much in
    a deep stack as in a shallow one. The biases at the ends of branches escape that: what they
    add grows with L, so give them a smaller learning rate in very deep stacks.

    The paper also puts one scalar bias before each layer and activation; here each Linear
    layer's own biases stand for them. Its scalar multiplier of a branch is the `Residual`'s
    scale, if that is a Parameter.

    Arguments:
        model: with `nn.Residual` blocks.
        generator: where the numbers come from.

    Returns:
        The model.

    Raises:
        ArgumentError: no Linear layers, or no blocks.

    Source: Zhang, Dauphin & Ma (2019), Fixup initialization, section 3.

    >>> from minigrad import nn
    >>> def block():
    ...     return nn.Residual(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)))
    >>> net = nn.init.fixup_(nn.Sequential(block(), block(), nn.Linear(4, 2)))
    >>> abs(net[0].branch[2].weight).max().item(), abs(net[2].weight).max().item()
    (0.0, 0.0)
    """
    layers = _linear_layers("fixup_", model)
    blocks = _blocks("fixup_", model)
    generator = forkable(generator)
    for path, layer in layers.items():
        kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator.fork(path))
        if layer.bias is not None:
            zeros_(layer.bias)
    inside = set()
    for block in blocks:
        branch: list[Layer] = [module for module in block.branch.modules() if _is_linear(module)]
        inside.update(branch)
        for layer in branch[:-1]:
            layer.weight.data *= len(blocks) ** (-1 / (2 * len(branch) - 2))
        for layer in branch[-1:]:
            zeros_(layer.weight)
        if isinstance(block.scale, Tensor):
            constant_(block.scale, 1.0)
    classifier = list(layers.values())[-1]
    if classifier not in inside:
        zeros_(classifier.weight)
    return model


def skipinit_(model: Module) -> Module:
    """SkipInit: every `Residual` block begins as the identity, its learned scale being 0.

    Arguments:
        model: with blocks `nn.Residual(branch, nn.Parameter(0.0))`.

    Returns:
        The model.

    Raises:
        ArgumentError: no blocks, or one whose scale is a number, which would stay 0 for ever.

    Source: De & Smith (2020), Batch normalization biases residual blocks towards the identity
    function in deep networks, section 4.

    >>> from minigrad import nn
    >>> net = nn.Sequential(nn.Residual(nn.Linear(4, 4), nn.Parameter(1.0)))
    >>> nn.init.skipinit_(net)[0].scale.item()
    0.0
    """
    blocks = _blocks("skipinit_", model)
    scales = [block.scale for block in blocks if isinstance(block.scale, Parameter)]
    if len(scales) < len(blocks):
        raise ArgumentError(
            "skipinit_: the scale of a Residual block is a number, and would stay 0 for ever; "
            "build it as nn.Residual(branch, nn.Parameter(0.0))"
        )
    for scale in scales:
        zeros_(scale)
    return model


def _fan_in_normal(weight: Tensor, gain: float, generator: Generator | None) -> None:
    fan_in, _ = fans("critical_", weight)
    normal_(weight, 0.0, gain / math.sqrt(fan_in), generator)


def forkable(generator: Generator | None) -> Generator:
    """The generator, or one seeded from the default one.

    Forks depend on the seed alone: those of the default generator would all be the same.
    """
    if generator is not None:
        return generator_or_default(generator)
    return Generator(int(generator_or_default(None).integers((), 0, 2**63)))


def _is_linear(module: Module) -> bool:
    return hasattr(module, "in_features") and hasattr(module, "weight")


def _linear_layers(name: str, model: Module) -> dict[str, Layer]:
    """The Linear layers of a model by their paths, in the order of registration."""
    layers: dict[str, Layer] = {
        path: module for path, module in model.named_modules() if _is_linear(module)
    }
    if not layers:
        raise ArgumentError(f"{name}: this {type(model).__name__} has no Linear layers")
    for path, layer in layers.items():
        if not isinstance(layer.weight, Parameter):
            raise GraphError(
                f"{name}: the weight of layer '{path}' is computed from other parameters; "
                "initialize before parametrizing a layer"
            )
    return layers


def _check_own_weights(layers: dict[str, Layer]) -> None:
    owners: dict[int, str] = {}
    for path, layer in layers.items():
        first = owners.setdefault(id(layer.weight), path)
        if first != path:
            raise ArgumentError(
                f"lsuv_: layers '{first}' and '{path}' share one weight, which cannot be scaled "
                "for both; tie them afterwards, or take another initialization"
            )


def _blocks(name: str, model: Module) -> list[Residual]:
    blocks = [module for module in model.modules() if isinstance(module, Residual)]
    if not blocks:
        raise ArgumentError(
            f"{name}: this {type(model).__name__} has no Residual blocks; build them as "
            "nn.Residual(branch)"
        )
    return blocks
