"""What a module registers: parameters, buffers and other modules; and walking over all of it.

The values lie in the instance's own `__dict__`, like any attribute, so that reading `self.weight`
costs nothing extra; `_names` says which of them are registered, and as what.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from minigrad.errors import ArgumentError, DtypeError
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.nn.module import Module

Role = Literal["parameter", "buffer", "module"]


class Registry:
    """The part of `Module` that knows its parameters, buffers and children by name."""

    _names: dict[Role, dict[str, None]]  # per role, the names in the order of registration
    _unsaved: set[str]  # the buffers that `state_dict` leaves out

    def __init__(self) -> None:
        names: dict[Role, dict[str, None]] = {"parameter": {}, "buffer": {}, "module": {}}
        self.__dict__.update(_names=names, _unsaved=set())

    # -- registering -------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._register(name, "parameter", value)
        elif isinstance(value, Registry):
            self._register(name, "module", value)
        else:
            role = self._role_of(name)
            if role is not None and value is not None:
                self._check_replacement(name, role, value)
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._forget(name)

    def _role_of(self, name: str) -> Role | None:
        roles = self.__dict__.get("_names", {})
        return next((role for role, names in roles.items() if name in names), None)

    def _forget(self, name: str) -> None:
        for names in self._names.values():
            names.pop(name, None)
        self._unsaved.discard(name)

    def _register(self, name: str, role: Role, value: Any) -> None:
        if "_names" not in self.__dict__:
            raise ArgumentError(
                f"{type(self).__name__}: '{name}' was assigned before super().__init__(); "
                "call that first in __init__"
            )
        if self._role_of(name) != role:
            self._forget(name)
        self._names[role][name] = None
        object.__setattr__(self, name, value)

    def _check_replacement(self, name: str, role: Role, value: Any) -> None:
        if role == "buffer" and isinstance(value, Tensor):
            return
        needed = {
            "parameter": f"a Parameter (or None); wrap it as nn.Parameter(...), or write into "
            f"{name}.data",
            "buffer": "a Tensor (or None)",
            "module": "a Module (or None)",
        }[role]
        raise DtypeError(
            f"{type(self).__name__}: '{name}' is a registered {role}, so it takes {needed}; "
            f"got {type(value).__name__}"
        )

    def _check_new_name(self, name: str, role: Role) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(
                f"{type(self).__name__}: the name of a {role} must be a non-empty string "
                f"without a dot, got {name!r}"
            )
        if hasattr(self, name) and self._role_of(name) is None:
            raise ArgumentError(
                f"{type(self).__name__}: there is already an attribute '{name}', which is no "
                f"{role}; choose another name"
            )

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register a parameter by name; None marks one that this module does without.

        Raises:
            ArgumentError: a name that is taken by something else, empty, or with a dot in it.
            DtypeError: `param` is no Parameter.
        """
        self._check_new_name(name, "parameter")
        if param is not None and not isinstance(param, Parameter):
            self._check_replacement(name, "parameter", param)
        self._register(name, "parameter", param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register a tensor that belongs to the module's state but is not learned.

        Arguments:
            persistent: part of `state_dict()`?

        Raises:
            ArgumentError: a name that is taken by something else, empty, or with a dot in it.
            DtypeError: `tensor` is no Tensor.

        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> net = nn.Module()
        >>> net.register_buffer("steps", mg.tensor(0))
        >>> net.state_dict()
        {'steps': tensor(0)}
        """
        self._check_new_name(name, "buffer")
        if tensor is not None and not isinstance(tensor, Tensor):
            self._check_replacement(name, "buffer", tensor)
        self._register(name, "buffer", tensor)
        if persistent:
            self._unsaved.discard(name)
        else:
            self._unsaved.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Register a child by a name that may be no Python identifier, such as "0".

        Raises:
            ArgumentError: a name that is taken by something else, empty, or with a dot in it.
            DtypeError: `module` is no Module.
        """
        self._check_new_name(name, "module")
        if module is not None and not isinstance(module, Registry):
            self._check_replacement(name, "module", module)
        self._register(name, "module", module)

    add_module = register_module

    # -- walking -----------------------------------------------------------------------------

    def _registered(self, role: Role) -> list[tuple[str, Any]]:
        """Names and values of one role, in the order of registration, without the absent ones."""
        own = self.__dict__
        return [(name, own[name]) for name in self._names[role] if own[name] is not None]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct children with their names; one that has several names, once."""
        return _once(self._registered("module"))

    def children(self) -> Iterator[Module]:
        """The direct children, each once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named `prefix`) and all below it, parents first, each once."""
        found: dict[int, tuple[str, Module]] = {}
        _collect(self, prefix, found)
        return iter(found.values())

    def modules(self) -> Iterator[Module]:
        """This module and all below it, parents first, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their paths, such as "body.3.weight"; a shared one, once.

        Arguments:
            prefix: put before every path.
            recurse: those of the modules below, too?
        """
        return self._named("parameter", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters("", recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their paths, each once."""
        return self._named("buffer", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        return (buffer for _, buffer in self.named_buffers("", recurse))

    def _named(self, role: Role, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        return _once(
            (f"{path}.{name}" if path else name, value)
            for path, module in (self.named_modules(prefix) if recurse else [(prefix, self)])
            for name, value in module._registered(role)
        )

    def get_submodule(self, path: str) -> Module:
        """The module at a path such as "body.3"; at "" this one.

        Raises:
            ArgumentError: there is no such module.
        """
        module: Any = self
        for name in path.split(".") if path else []:
            found = dict(module._registered("module"))
            if name not in found:
                raise ArgumentError(
                    f"get_submodule: no module '{path}': {type(module).__name__} has no child "
                    f"'{name}'; it has {', '.join(found) or 'none'}"
                )
            module = found[name]
        return module  # type: ignore[no-any-return]

    def get_parameter(self, path: str) -> Parameter:
        """The parameter at a path such as "body.3.weight".

        Raises:
            ArgumentError: there is no such parameter.
        """
        return self._get("parameter", path)  # type: ignore[no-any-return]

    def get_buffer(self, path: str) -> Tensor:
        """The buffer at a path such as "body.3.running_mean".

        Raises:
            ArgumentError: there is no such buffer.
        """
        return self._get("buffer", path)  # type: ignore[no-any-return]

    def _get(self, role: Role, path: str) -> Any:
        parent, _, name = path.rpartition(".")
        module = self.get_submodule(parent)
        found = dict(module._registered(role))
        if name not in found:
            raise ArgumentError(
                f"get_{role}: no {role} '{path}': {type(module).__name__} has no "
                f"'{name}'; it has {', '.join(found) or 'none'}"
            )
        return found[name]


def _collect(module: Any, path: str, found: dict[int, tuple[str, Any]]) -> None:
    """Note a module and all below it; `found` stops at what was noted, even one within itself."""
    if id(module) not in found:
        found[id(module)] = path, module
        for name, child in module._registered("module"):
            _collect(child, f"{path}.{name}" if path else name, found)


def _once(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Without the pairs whose value came before."""
    found: dict[int, tuple[str, Any]] = {}
    for name, value in pairs:
        found.setdefault(id(value), (name, value))
    return iter(found.values())
