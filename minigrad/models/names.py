"""What the networks here can be made of, by name: activations, initializations, normalizations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.nn import init
from minigrad.nn.utils import parametrizations
from minigrad.random import Generator
from minigrad.tape import no_grad
from minigrad.tensor import Tensor

# Elementwise only: a network keeps its width through them.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "celu": nn.CELU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardsigmoid": nn.Hardsigmoid,
    "hardtanh": nn.Hardtanh,
    "leaky_relu": nn.LeakyReLU,
    "logsigmoid": nn.LogSigmoid,
    "mish": nn.Mish,
    "prelu": nn.PReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "tanhshrink": nn.Tanhshrink,
}


def _he_normal(weight: Tensor, generator: Generator) -> Tensor:
    return init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


def _he_uniform(weight: Tensor, generator: Generator) -> Tensor:
    return init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator)


# Called as f(weight, generator=...). None of them is adapted to the activation.
INITS: dict[str, Callable[..., Tensor]] = {
    "default": lambda weight, generator: weight,  # as the layer drew it
    "xavier": init.xavier_normal_,
    "he": _he_normal,
    "lecun": init.lecun_normal_,
    "xavier_normal": init.xavier_normal_,
    "xavier_uniform": init.xavier_uniform_,
    "he_normal": _he_normal,
    "he_uniform": _he_uniform,
    "lecun_normal": init.lecun_normal_,
    "lecun_uniform": init.lecun_uniform_,
    "orthogonal": init.orthogonal_,
    "eye": lambda weight, generator: init.eye_(weight),
    "zeros": lambda weight, generator: init.zeros_(weight),
}


def _truncated(weight: Tensor, std: float, generator: Generator) -> Tensor:
    return init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std, generator)


# Written with their number, as "normal:0.01".
NUMBERED_INITS: dict[str, Callable[..., Tensor]] = {
    "normal": lambda w, std, generator: init.normal_(w, std=std, generator=generator),
    "trunc_normal": _truncated,
    "uniform": lambda w, bound, generator: init.uniform_(w, -bound, bound, generator=generator),
    "sparse": lambda w, sparsity, generator: init.sparse_(w, sparsity, generator=generator),
    "constant": lambda w, value, generator: init.constant_(w, value),
}

GROUPS = 4  # of a GroupNorm

# Layers between Linear and activation, made for a width.
NORMS: dict[str, Callable[..., nn.Module]] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
    "group": lambda width, dtype: nn.GroupNorm(GROUPS, width, dtype=dtype),
}

# Normalizations of the weights instead: they change the Linear layer.
WEIGHT_NORMS: dict[str, Callable[..., nn.Module]] = {
    "weight": lambda linear, generator: parametrizations.weight_norm(linear),
    "standardized": lambda linear, generator: parametrizations.weight_standardization(linear),
    "spectral": lambda linear, generator: parametrizations.spectral_norm(
        linear, generator=generator
    ),
}


def check_name(owner: str, what: str, value: Any, valid: Iterable[str]) -> None:
    """Raise an ArgumentError that lists the valid names."""
    valid = list(valid)
    if value not in valid:
        raise ArgumentError(f"{owner}: unknown {what} {value!r}; use one of {', '.join(valid)}")


def initialize(owner: str, weight: Tensor, name: str, gain: float, generator: Generator) -> None:
    """Fill a weight as the initialization of that name does, times `gain`.

    Raises:
        ArgumentError: an unknown name, or one whose number is missing or is none.
    """
    fill(owner, name)(weight, generator=generator)
    if gain != 1:
        with no_grad():
            weight *= gain


def fill(owner: str, name: str) -> Callable[..., Any]:
    """The function f(weight, generator=...) that an initialization's name stands for."""
    if name in INITS:
        return INITS[name]
    kind, _, number = str(name).partition(":")
    if kind not in NUMBERED_INITS:
        numbered = ["normal:STD", "trunc_normal:STD", "uniform:BOUND", "sparse:SHARE"]
        valid = [*INITS, *numbered, "constant:VALUE"]
        check_name(owner, "init", name, valid)
    try:
        value = float(number)
    except ValueError:
        raise ArgumentError(
            f"{owner}: init {name!r} needs a number after a colon, such as {kind + ':0.01'!r}"
        ) from None
    return lambda weight, generator: NUMBERED_INITS[kind](weight, value, generator=generator)
