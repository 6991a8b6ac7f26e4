"""Singular values of Jacobians: by how much a network stretches each direction it is given.

A small change dx of the input changes the output by J dx. The singular values of J say by how much,
in the directions that are stretched most to least; a gradient goes back through the same J. If all
are 1 (dynamical isometry), nothing is lost in either way however deep the network is; if they
spread, some directions explode while others vanish, even where the average is right.

Sources: Saxe, McClelland & Ganguli (2014), Exact solutions to the nonlinear dynamics of learning
in deep linear neural networks; Pennington, Schoenholz & Ganguli (2017), Resurrecting the sigmoid in
deep learning through dynamical isometry.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.autograd import grad
from minigrad.diagnostics.probing.layers import Pattern, first_tensor, matching, named_layers
from minigrad.diagnostics.undisturbed import undisturbed
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.tape import enable_grad
from minigrad.tensor import Tensor

FLOAT = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class JacobianSpectrum:
    """What `jacobian_spectrum` found; singular values in descending order, NaN if not finite.

    Attributes:
        end_to_end: of d output / d input, shape (examples, min(inputs, outputs)).
        to_output: per layer those of d output / d (the layer's output), shape (examples, k).
        own: per layer those of d (its output) / d (its input), shape (examples, k).
        skipped: what could not be looked at, and why.
    """

    end_to_end: FLOAT
    to_output: dict[str, FLOAT]
    own: dict[str, FLOAT]
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> list[str]:
        """The layers, in the order in which they ran."""
        return list(self.own)

    def averaged(self) -> JacobianSpectrum:
        """The mean over the examples: of the largest values, of the second largest, and so on.

        Returns:
            The same with one row in each array.
        """
        return replace(
            self,
            end_to_end=_mean(self.end_to_end),
            to_output={name: _mean(values) for name, values in self.to_output.items()},
            own={name: _mean(values) for name, values in self.own.items()},
        )

    def table(self) -> str:
        """Largest, rms and smallest singular value, a line for each Jacobian, over all examples.

        The mean square, so the square of the rms, is chi of mean-field theory for a layer of equal
        widths; condition is largest / smallest.
        """
        rows = [("input to output", self.end_to_end)]
        rows += [(f"{name} to output", values) for name, values in self.to_output.items()]
        rows += [(f"{name} itself", values) for name, values in self.own.items()]
        width = max(len(name) for name, _ in rows)
        titles = ("largest", "rms", "smallest", "condition")
        lines = [" " * width + "".join(f"{title:>11}" for title in titles)]
        lines += [
            f"{name:<{width}}" + "".join(f"{number:>11.3g}" for number in _summary(values))
            for name, values in rows
        ]
        return "\n".join(lines)

    __repr__ = table


def _mean(values: FLOAT) -> FLOAT:
    return np.asarray(values.mean(axis=0, keepdims=True))


def _summary(values: FLOAT) -> tuple[float, float, float, float]:
    if not values.size:
        return (math.nan,) * 4
    largest, smallest = float(values.max()), float(values.min())
    rms = largest * float(np.sqrt(np.mean((values / largest) ** 2))) if largest else 0.0
    return largest, rms, smallest, largest / smallest if smallest else math.inf


def jacobian_spectrum(
    model: nn.Module, x: Any, include: Pattern | Iterable[Pattern] | None = None
) -> JacobianSpectrum:
    """Singular values of the input-output Jacobian, for each example, end to end and per layer.

    The Jacobian of example i is d output[i] / d x[i], all other examples held fixed. Its rows come
    from one backward for each output; where examples influence each other (batch normalization in
    training), for each output of each example. The model runs in the mode it is in and is left as
    it was.

    Arguments:
        model: from x to a Tensor whose first axis counts the examples, as that of x does.
        x: floating point, shape (examples, ...). The work grows with examples times outputs, and
            a layer's own spectrum takes as many short backwards as it has outputs.
        include: of which modules: patterns of paths such as "layer*", or classes, one or several.
            `model.layer3` of a `deep_mlp` is Linear, normalization and activation together. By
            default all layers that a `Probe` looks at.

    Returns:
        A `JacobianSpectrum`. A module that is called several times has an entry for each call:
        "cell", "cell (2)", ...

    Raises:
        ArgumentError: no model, no example, numbers that are no floats or not finite, or a
            pattern that matches no module.
        ShapeError: the first axis of the output does not count the examples.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import jacobian_spectrum
    >>> g = mg.Generator(0)
    >>> model = mg.models.deep_mlp(9, 8, "identity", "orthogonal", in_features=8, out_features=8,
    ...                            generator=g)
    >>> found = jacobian_spectrum(model, mg.randn(2, 8, generator=g))
    >>> found.end_to_end.shape, bool(abs(found.end_to_end - 1).max() < 1e-5)
    ((2, 8), True)
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError(
            f"jacobian_spectrum: expected a model, got {type(model).__name__}; of a function, take "
            "the singular values of mg.jacobian(function, x)"
        )
    x = _checked(x)
    modules = _layers(model) if include is None else _chosen(model, include)
    with undisturbed(model), enable_grad(), np.errstate(over="ignore", invalid="ignore"):
        calls = _Calls(modules, x)
        output = calls.run(model)
        return _spectrum(output, calls)


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    try:
        return named_layers(model)
    except ArgumentError:
        raise ArgumentError(
            f"jacobian_spectrum: {type(model).__name__} has no layer with weights to look at; name "
            "the modules with include=, or put it into an nn.Sequential of layers"
        ) from None


def _chosen(model: nn.Module, include: Pattern | Iterable[Pattern]) -> dict[str, nn.Module]:
    modules = {path: module for path, module in model.named_modules() if path}
    found = matching("jacobian_spectrum", "include", include, modules, "module")
    return {path: module for path, module in modules.items() if path in found}


def _checked(x: Any) -> Tensor:
    if isinstance(x, tuple):
        raise ArgumentError(
            "jacobian_spectrum: x is a tuple; pass the inputs alone, without the targets"
        )
    x = as_tensor(x)
    if x.dtype.kind != "f":
        raise ArgumentError(
            f"jacobian_spectrum: x holds {x.dtype}, by which one cannot differentiate; convert it "
            "with x.astype(mg.float32), or start after the embedding"
        )
    if x.ndim < 2 or not x.size:
        raise ArgumentError(
            f"jacobian_spectrum: x must have shape (examples, features), at least one of each, got "
            f"{x.shape}; for a single example use x[None]"
        )
    if not np.isfinite(x.device.to_host(x.data)).all():
        raise ArgumentError("jacobian_spectrum: x holds NaN or infinity; clean the data")
    point: Tensor = x.detach().requires_grad_()
    return point


class _Calls:
    """What went into each module and what came out, in one forward."""

    def __init__(self, modules: dict[str, nn.Module], x: Tensor) -> None:
        self.modules, self.x = modules, x
        self.seen: dict[str, tuple[Tensor, Tensor]] = {}  # per call its input and its output
        self.skipped: dict[str, str] = {}

    def run(self, model: nn.Module) -> Tensor:
        with ExitStack() as stack:
            for path, module in self.modules.items():
                hook = module.register_forward_hook(partial(self._see, path))
                stack.callback(hook.remove)
            output = first_tensor(model(self.x))
        if output is None or output.ndim == 0 or len(output) != len(self.x):
            got = "no Tensor" if output is None else f"shape {output.shape}"
            raise ShapeError(
                f"jacobian_spectrum: for {len(self.x)} examples the model returned {got}; the "
                "first axis of the output must count the examples"
            )
        self.skipped |= dict.fromkeys(
            [p for p in self.modules if p not in self.seen and p not in self.skipped],
            "was not called",
        )
        return output

    def _see(self, path: str, module: nn.Module, args: Any, out: Any) -> None:
        given, made = first_tensor(args), first_tensor(out)
        name = path
        while name in self.seen:
            name = f"{path} ({int(name[len(path) + 2 : -1] or 1) + 1})"
        if given is None or made is None or not made.requires_grad or not given.requires_grad:
            self.skipped[name] = "lies on no way from x on which gradients go"
        elif made.ndim == 0 or given.ndim == 0 or not len(made) == len(given) == len(self.x):
            self.skipped[name] = (
                f"from shape {given.shape} to {made.shape}: the first axis does not count examples"
            )
        else:
            self.seen[name] = given, made


def _spectrum(output: Tensor, calls: _Calls) -> JacobianSpectrum:
    names = list(calls.seen)
    made = [calls.seen[name][1] for name in names]
    end_to_end, *to_output = _singular_values(output, [calls.x, *made])
    own = [_singular_values(out, [given])[0] for given, out in calls.seen.values()]
    return JacobianSpectrum(
        end_to_end,
        dict(zip(names, to_output, strict=True)),
        dict(zip(names, own, strict=True)),
        calls.skipped,
    )


def _singular_values(output: Tensor, inputs: list[Tensor]) -> list[FLOAT]:
    """Per input those of d output[i] / d input[i] for each example i, shape (examples, k)."""
    n, outputs = len(output), output.size // len(output)
    rows = [np.empty((n, outputs, t.size // n)) for t in inputs]
    everyone = list(range(n))
    groups = [everyone] if _are_independent(output, inputs) else [[i] for i in everyone]
    for group in groups:
        for k in range(outputs):
            for found, target in zip(_row(output, inputs, group, k), rows, strict=True):
                target[group, k] = found[group]
    return [_svd(jacobians) for jacobians in rows]


def _are_independent(output: Tensor, inputs: list[Tensor]) -> bool:
    """Whether the outputs of the first and of the last example depend on no other's input."""
    return not any(
        np.delete(row, i, axis=0).any()
        for i in {0, len(output) - 1}
        for row in _row(output, inputs, [i], None)
    )


def _row(output: Tensor, inputs: list[Tensor], examples: list[int], k: int | None) -> list[FLOAT]:
    """d (output k of these examples, added up) / d inputs; with None, of all their outputs mixed.

    Returns:
        float64 (examples, numbers of one input) for each input.
    """
    seed = np.zeros((len(output), output.size // len(output)))
    if k is None:
        seed[examples] = np.random.default_rng(0).normal(size=seed.shape[1])
    else:
        seed[examples, k] = 1
    xp = output.device.xp
    v = Tensor(xp.asarray(seed.reshape(output.shape), dtype=output.dtype))
    found = grad(output, inputs, v, retain_graph=True, allow_unused=True)
    return [
        np.zeros((len(t), t.size // len(t)))
        if g is None
        else g.device.to_host(g.data).astype(np.float64).reshape(len(t), -1)
        for g, t in zip(found, inputs, strict=True)
    ]


def _svd(jacobians: FLOAT) -> FLOAT:
    """Singular values of each matrix; NaN for one that is not finite, which SVD refuses."""
    finite = np.isfinite(jacobians).all(axis=(1, 2))
    values = np.full((len(jacobians), min(jacobians.shape[1:])), math.nan)
    if finite.any():
        values[finite] = np.linalg.svd(jacobians[finite], compute_uv=False)
    return values
