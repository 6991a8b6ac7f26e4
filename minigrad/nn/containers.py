"""Modules made of modules: in a row, or as a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self, overload

from minigrad.errors import DtypeError, OutOfRangeError
from minigrad.nn.module import Module


class _Numbered(Module):
    """What `Sequential` and `ModuleList` share: children that are counted."""

    def _members(self) -> list[tuple[str, Module]]:
        return self._registered("module")

    def _name_at(self, index: int) -> str:
        members = self._members()
        try:
            return members[index][0]
        except IndexError:
            raise OutOfRangeError(
                f"{type(self).__name__}: index {index}, but it holds {len(members)} modules"
            ) from None

    def append(self, module: Module) -> Self:
        """Add a module at the end; returns this container."""
        self._check(len(self), module)
        self.register_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end; returns this container."""
        for module in modules:
            self.append(module)
        return self

    def _check(self, place: int | str, module: Any) -> None:
        if isinstance(module, Module):
            return
        name = type(self).__name__
        if isinstance(module, type):
            got, cure = f"the class {module.__name__}", f"make a layer of it: {module.__name__}()"
        elif isinstance(module, list | tuple):
            got, cure = f"a {type(module).__name__}", f"unpack it: {name}(*layers)"
        else:
            got, cure = f"{type(module).__name__}", "write a Module whose forward calls it"
        raise DtypeError(f"{name}: item {place} is {got}, not a Module; {cure}")

    def __len__(self) -> int:
        return len(self._members())

    def __iter__(self) -> Iterator[Module]:
        return iter([module for _, module in self._members()])

    def __setitem__(self, index: int, module: Module) -> None:
        self._check(index, module)
        setattr(self, self._name_at(index), module)


class Sequential(_Numbered):
    """Modules run one after the other: the output of each is the input of the next.

    Arguments:
        modules: named "0", "1", ... in order; or one dict of name to module.

    A slice is again a Sequential, of the same modules.

    Raises:
        DtypeError: something that is no Module.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    >>> net
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): Tanh()
      (2): Linear(in_features=3, out_features=2, bias=True)
    )
    >>> net[:2](mg.ones(8, 4)).shape
    (8, 3)
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            named = modules[0]
        else:
            named = {str(i): module for i, module in enumerate(modules)}
        for name, module in named.items():
            self._check(name, module)
            self.register_module(name, module)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(dict(self._members()[index]))
        return self.get_submodule(self._name_at(index))

    def forward(self, input: Any) -> Any:
        for _, module in self._registered("module"):
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list of modules that a Module can own; it has no forward of its own.

    Modules in an ordinary list are not found by `parameters()`.

    Arguments:
        modules: the first ones.

    Raises:
        DtypeError: something that is no Module.

    >>> from minigrad import nn
    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return ModuleList(module for _, module in self._members()[index])
        return self.get_submodule(self._name_at(index))
