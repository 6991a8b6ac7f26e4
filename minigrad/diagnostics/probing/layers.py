"""Which modules of a network are looked at, by which name, and what their weights are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.nn.utils.parametrize import ParametrizationList
from minigrad.tensor import Tensor

Pattern = str | type[nn.Module]

# What may stand between a layer and its activation.
PASSES_ON = (
    nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.InstanceNorm1d,
    nn.Dropout, nn.AlphaDropout, nn.Flatten,
)  # fmt: skip


def named_layers(
    model: nn.Module,
    include: Pattern | Iterable[Pattern] = "*",
    exclude: Pattern | Iterable[Pattern] = (),
) -> dict[str, nn.Module]:
    """The layers of a network: its modules with weights of their own, and its residual blocks.

    Arguments:
        model: the network.
        include: those layers alone whose path a pattern matches, such as "encoder.*" (as in file
            names: `*`, `?`, `[...]`), or that are of a class, such as `nn.Linear`. One or several.
        exclude: likewise, which of these to leave out.

    Returns:
        Per path in the network, in the order of `model.named_modules()`, the module. The network
        itself goes by the name of its class. A module that is shared stands under its first path.

    Raises:
        ArgumentError: there is no layer, a pattern matches none, or all are excluded.

    >>> model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2))
    >>> list(named_layers(model)), list(named_layers(model, nn.Linear))
    (['0', '1', '3'], ['0', '3'])
    """
    layers = {
        path or type(module).__name__: module
        for path, module in model.named_modules()
        if (weights_of(module) or isinstance(module, nn.Residual))
        and not isinstance(module, ParametrizationList)
    }
    if not layers:
        raise ArgumentError(
            f"Probe: {type(model).__name__} has no layer with weights to look at; "
            + _in_plain_lists(model)
        )
    chosen = matching("Probe", "include", include, layers)
    nothing = isinstance(exclude, list | tuple | set) and not exclude
    left_out = set() if nothing else matching("Probe", "exclude", exclude, layers)
    found = {path: layers[path] for path in layers if path in chosen - left_out}
    if not found:
        raise ArgumentError(
            f"Probe: nothing is left to look at: exclude={exclude!r} takes out all that "
            f"include={include!r} takes in"
        )
    return found


def matching(
    asked: str,
    argument: str,
    patterns: Pattern | Iterable[Pattern],
    modules: dict[str, nn.Module],
    what: str = "layer",
) -> set[str]:
    """The paths of those modules that a pattern matches.

    Arguments:
        asked, argument, what: for errors: the function, its argument, and what it chooses from.
        patterns: paths as in file names, or classes; one or several.
        modules: by path, those to choose from.

    Raises:
        ArgumentError: no patterns, something else, or a pattern that matches nothing.

    >>> sorted(matching("f", "include", ["a.*", nn.Tanh], {"a.0": nn.ReLU(), "b": nn.Tanh()}))
    ['a.0', 'b']
    """
    single = isinstance(patterns, str | type) or not isinstance(patterns, Iterable)
    several: list[Any] = [patterns] if single else list(patterns)  # type: ignore[arg-type]
    if not several or not all(isinstance(pattern, str | type) for pattern in several):
        raise ArgumentError(
            f"{asked}: {argument} takes paths such as 'layer1.*' and classes such as nn.Linear, "
            f"one or a list of them, got {patterns!r}"
        )
    found: set[str] = set()
    for pattern in several:
        if isinstance(pattern, type):
            matched = {path for path, module in modules.items() if isinstance(module, pattern)}
        else:
            matched = {path for path in modules if fnmatchcase(path, pattern)}
        if not matched:
            raise ArgumentError(
                f"{asked}: {argument}={pattern!r} matches no {what}; there are {_some(modules)}"
            )
        found |= matched
    return found


def _some(layers: Iterable[str]) -> str:
    names = list(layers)
    return ", ".join(names if len(names) <= 12 else [*names[:6], "...", *names[-3:]])


def _in_plain_lists(model: nn.Module) -> str:
    """What to do about a model without layers; some stand in a list of Python, which hides them."""
    for name, value in vars(model).items():
        held = value.values() if isinstance(value, dict) else value
        if isinstance(held, list | tuple) or isinstance(value, dict):
            kind = "ModuleDict" if isinstance(value, dict) else "ModuleList"
            if not name.startswith("_") and any(isinstance(one, nn.Module) for one in held):
                return (
                    f"those in self.{name}, a plain {type(value).__name__}, are not found: write "
                    f"self.{name} = nn.{kind}(...)"
                )
    return "pass the module that holds the layers"


def weights_of(module: nn.Module) -> list[Tensor]:
    """What a module learns itself, its biases left out.

    Of a weight that is computed (see `nn.utils.parametrize`), it is what it is computed from.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    >>> [weight.shape for weight in weights_of(layer)]
    [(2, 1), (2, 3)]
    """
    own = module._registered("parameter")
    computed = dict(module._registered("module")).get("parametrizations")
    for name, each in computed.items() if isinstance(computed, nn.ModuleDict) else ():
        own += [(name, parameter) for parameter in each.parameters(recurse=False)]
    return [parameter for name, parameter in own if not name.startswith("bias")]


def is_unknown(module: nn.Module) -> bool:
    """Whether a module computes something of its own, without weights: an activation, say.

    >>> class Swish(nn.Module):
    ...     def forward(self, input):
    ...         return input * nn.functional.sigmoid(input)
    >>> is_unknown(Swish()), is_unknown(nn.Softmax())
    (True, False)
    """
    is_leaf = not any(True for _ in module.children()) and not weights_of(module)
    return is_leaf and not type(module).__module__.startswith("minigrad.nn.")


def first_tensor(output: Any) -> Tensor | None:
    """The first Tensor in what a module returned: that, or the first in a tuple, list or dict."""
    return next(tensors_in(output), None)


def tensors_in(output: Any) -> Iterator[Tensor]:
    """All Tensors in what a module returned."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict | tuple | list):
        for part in output.values() if isinstance(output, dict) else output:
            yield from tensors_in(part)
