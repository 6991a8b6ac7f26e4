"""Parametrizations: a weight that is computed, at each look at it, from what is learned instead.

The layer's class becomes a subclass of itself in which `weight` is a property. What is learned,
and the module that makes the weight of it, lie in `layer.parametrizations.weight`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.nn.containers import ModuleDict
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


class ParametrizationList(Module):
    """What one weight is computed from.

    Arguments:
        parametrization: see `register_parametrization`.
        weight: the weight so far.

    Attributes:
        original: what is learned; or `original0`, `original1`, ... if there are several.
    """

    def __init__(self, parametrization: Module, weight: Parameter) -> None:
        super().__init__()
        inverse = getattr(parametrization, "right_inverse", lambda tensor: tensor)(weight.detach())
        several = isinstance(inverse, tuple)
        self._originals = [f"original{i}" for i in range(len(inverse))] if several else ["original"]
        for name, tensor in zip(self._originals, inverse if several else [inverse], strict=True):
            self.register_parameter(name, Parameter(tensor, weight.requires_grad))
        self.register_module("0", parametrization)
        self.train(parametrization.training)

    def forward(self) -> Tensor:
        originals = [getattr(self, name) for name in self._originals]
        return self.get_submodule("0")(*originals)  # type: ignore[no-any-return]


def plain_parameter(module: Module, name: str) -> Parameter:
    """The parameter of that name, if it is not computed from others already."""
    if name in _computed(module):
        raise ArgumentError(
            f"parametrize: '{name}' of this {type(module).__name__} is parametrized already; "
            "remove_parametrizations first"
        )
    return module.get_parameter(name)


def register_parametrization(module: Module, tensor_name: str, parametrization: Module) -> Module:
    """Let a parameter of a layer be computed by `parametrization` from now on.

    Make the optimizer afterwards: the layer's parameters are others now.

    Arguments:
        module: the layer.
        tensor_name: the parameter, such as "weight".
        parametrization: a Module whose `forward(original)` returns the weight. With a method
            `right_inverse(weight)` it says what to learn at first, one tensor or a tuple of
            tensors, which `forward` then takes; without, that is the weight itself.

    Returns:
        The layer.

    Raises:
        ArgumentError: there is no such parameter, or it is parametrized already.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, original):
    ...         return (original + original.T) / 2
    >>> layer = nn.Linear(3, 3)
    >>> _ = nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'parametrizations.weight.original']
    """
    weight = plain_parameter(module, tensor_name)
    computed = _computed(module)
    parametrization.train(module.training)
    made = ParametrizationList(parametrization, weight)
    if not computed:
        module.register_module("parametrizations", ModuleDict())
    delattr(module, tensor_name)
    lists: Any = module.get_submodule("parametrizations")
    lists[tensor_name] = made
    _set_computed(module, (*computed, tensor_name))
    return module


def remove_parametrizations(module: Module, tensor_name: str) -> Module:
    """Make a computed parameter an ordinary one again, of the value that it has at present.

    Returns:
        The layer.

    Raises:
        ArgumentError: the parameter is not parametrized.

    >>> from minigrad import nn
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    >>> layer = nn.utils.parametrize.remove_parametrizations(layer, "weight")
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight']
    """
    computed = _computed(module)
    if tensor_name not in computed:
        raise ArgumentError(
            f"remove_parametrizations: '{tensor_name}' of this {type(module).__name__} is not "
            f"parametrized; those that are: {', '.join(computed) or 'none'}"
        )
    lists: Any = module.get_submodule("parametrizations")
    was = lists[tensor_name]
    learned = any(p.requires_grad for p in was.parameters(recurse=False))
    value = was().detach().clone()
    del lists[tensor_name]
    rest = tuple(name for name in computed if name != tensor_name)
    _set_computed(module, rest)
    if not rest:
        delattr(module, "parametrizations")
    module.register_parameter(tensor_name, Parameter(value, learned))
    return module


def _computed(module: Module) -> tuple[str, ...]:
    """The names of a layer's computed parameters."""
    return getattr(type(module), "_computed_names", ())


def _set_computed(module: Module, names: tuple[str, ...]) -> None:
    base: Any = getattr(type(module), "_base_class", type(module))
    module.__class__ = _computing_class(base, names) if names else base


@cache
def _computing_class(base: type[Module], names: tuple[str, ...]) -> type[Module]:
    """A subclass of `base` in which the parameters of these names are properties."""

    def refuse(self: Module, name: str, value: Any) -> None:
        if name in names:
            raise ArgumentError(
                f"{type(self).__name__}: '{name}' is computed from parametrizations.{name}; write "
                "into what is learned there, or remove_parametrizations first"
            )
        base.__setattr__(self, name, value)

    def reduce(self: Module, protocol: object) -> Any:
        # For copy and pickle, which cannot find this class by its name.
        return _new_computing, (base, names), self.__dict__

    members: dict[str, Any] = {name: property(_look(name)) for name in names}
    members |= {
        "__setattr__": refuse, "__reduce_ex__": reduce, "__module__": base.__module__,
        "__doc__": base.__doc__, "_base_class": base, "_computed_names": names,
    }  # fmt: skip
    return type(f"Parametrized{base.__name__}", (base,), members)


def _look(name: str) -> Callable[[Any], Tensor]:
    return lambda module: module.parametrizations[name]()


def _new_computing(base: Any, names: tuple[str, ...]) -> Module:
    made: Module = object.__new__(_computing_class(base, names))
    return made
