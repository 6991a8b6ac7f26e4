"""Modules made of modules: in a row, as a list, or by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count, groupby
from typing import Any, Self, overload

from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError
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
        _check_module(self, len(self), module)
        # A slice keeps the names of its modules, so the name that counts on may be taken.
        taken = {name for name, _ in self._members()}
        self.register_module(next(n for n in map(str, count(len(self))) if n not in taken), module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at `index`; returns this container.

        Those after it are counted anew.

        Raises:
            OutOfRangeError: an index beyond the number of modules.
            ArgumentError: modules that were named by hand.
        """
        _check_module(self, index, module)
        modules = list(self)
        name = type(self).__name__
        if not -len(modules) <= index <= len(modules):
            raise OutOfRangeError(f"{name}: insert at {index}, but it holds {len(modules)} modules")
        if not self._is_counted():
            raise ArgumentError(
                f"{name}: insert counts the modules anew, but these were named by hand; make a new "
                f"{name} of a dict in the order you want"
            )
        modules.insert(index, module)
        self._count_anew(modules)
        return self

    def _is_counted(self) -> bool:
        return all(name.isdecimal() for name, _ in self._members())

    def _count_anew(self, modules: Iterable[Module]) -> None:
        for name, _ in self._members():
            delattr(self, name)
        for i, module in enumerate(modules):
            self.register_module(str(i), module)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end; returns this container."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self._members())

    def __iter__(self) -> Iterator[Module]:
        return iter([module for _, module in self._members()])

    def __setitem__(self, index: int, module: Module) -> None:
        _check_module(self, index, module)
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        """Take modules out. Those after them are counted anew, unless they were named by hand."""
        members = self._members()
        counted = self._is_counted()
        gone = members[index] if isinstance(index, slice) else [(self._name_at(index), None)]
        for name, _ in gone:
            delattr(self, name)
        if counted:
            self._count_anew(list(self))


def _check_module(owner: Module, place: int | str, module: Any) -> None:
    if isinstance(module, Module):
        return
    name = type(owner).__name__
    if isinstance(module, type):
        got, cure = f"the class {module.__name__}", f"make a layer of it: {module.__name__}()"
    elif isinstance(module, list | tuple):
        got, cure = f"a {type(module).__name__}", f"unpack it: {name}(*layers)"
    else:
        got, cure = f"{type(module).__name__}", "write a Module whose forward calls it"
    raise DtypeError(f"{name}: item {place} is {got}, not a Module; {cure}")


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
            _check_module(self, name, module)
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

    def __repr__(self) -> str:
        """Modules that look the same, one after the other, are shown as one with their number."""
        shown = enumerate(repr(module) for module in self)
        lines = []
        for text, run in groupby(shown, key=lambda pair: pair[1]):
            first, *rest = [index for index, _ in run]
            where = f"({first}-{rest[-1]}): {len(rest) + 1} x " if rest else f"({first}): "
            lines.append((where + text).replace("\n", "\n  "))
        return "\n  ".join(["ModuleList(", *lines]) + "\n)" if lines else "ModuleList()"


class ModuleDict(Module):
    """Modules by name that a Module can own; it has no forward of its own.

    Reads like a dict: `layers["head"]`, `in`, `len`, `del`, `keys`, `values`, `items`, `update`,
    `pop`, `clear`; in the order in which the modules came.

    Arguments:
        modules: the first ones: a dict, or pairs of name and module.

    Raises:
        DtypeError: something that is no Module.
        ArgumentError: a name that is empty, has a dot in it, or is a method's, such as "train".

    >>> from minigrad import nn
    >>> heads = nn.ModuleDict({"digit": nn.Linear(8, 10), "odd": nn.Linear(8, 1)})
    >>> heads["odd"]
    Linear(in_features=8, out_features=1, bias=True)
    >>> [name for name, _ in heads.named_parameters()]
    ['digit.weight', 'digit.bias', 'odd.weight', 'odd.bias']
    """

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, name: str) -> Module:
        found = dict(self.items())
        if name not in found:
            raise ArgumentError(
                f"ModuleDict: no module {name!r}; it has {', '.join(found) or 'none'}"
            )
        return found[name]

    def __setitem__(self, name: str, module: Module) -> None:
        _check_module(self, repr(name), module)
        self.register_module(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        return [name for name, _ in self.items()]

    def values(self) -> list[Module]:
        return [module for _, module in self.items()]

    def items(self) -> list[tuple[str, Module]]:
        return self._registered("module")

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put them in the place of those that have their names."""
        for name, module in dict(modules).items():
            self[name] = module

    def pop(self, name: str) -> Module:
        """Take a module out, and return it."""
        module = self[name]
        delattr(self, name)
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for name in self.keys():
            del self[name]
