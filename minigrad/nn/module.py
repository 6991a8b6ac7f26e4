"""Module: what every layer and every network is.

What is registered (parameters, buffers, child modules) lies in the instance's own `__dict__`,
like any attribute, so that reading `self.weight` costs nothing extra; `_roles` says which names
are registered, and as what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal, Self, TypeVar

from minigrad.errors import ArgumentError, DtypeError, MinigradError
from minigrad.nn import state
from minigrad.nn.parameter import Parameter
from minigrad.ops import zeros_like
from minigrad.tape import RemovableHandle
from minigrad.tensor import Tensor

Role = Literal["parameter", "buffer", "module"]
PreHook = Callable[["Module", tuple[Any, ...]], Any]
Hook = Callable[["Module", tuple[Any, ...], Any], Any]
T = TypeVar("T")


def _no_forward(self: Module, *args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(
        f"{type(self).__name__}: write a method forward(self, x) that computes the output"
    )


class Module:
    """A layer, or a network made of layers.

    A subclass calls `super().__init__()` first, assigns its `Parameter`s and layers as
    attributes, and defines `forward`. Calling the module runs it.

    Attributes:
        training: True after `train()` (and at first), False after `eval()`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self, factor):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(factor)
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> net = nn.Sequential(Scale(3.0), Scale(5.0))
    >>> net(mg.tensor(2.0)).item()
    30.0
    >>> [name for name, _ in net.named_parameters()]
    ['0.factor', '1.factor']
    """

    training: bool
    _roles: dict[str, Role]
    _unsaved: set[str]
    _pre_hooks: dict[int, PreHook]
    _hooks: dict[int, Hook]

    def __init__(self) -> None:
        self.__dict__.update(training=True, _roles={}, _unsaved=set(), _pre_hooks={}, _hooks={})

    # -- running -----------------------------------------------------------------------------

    forward: Callable[..., Any] = _no_forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._pre_hooks or self._hooks:
                return self._run_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except MinigradError as error:
            self._sign(error)
            raise

    def _run_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for pre_hook in list(self._pre_hooks.values()):
            replaced = pre_hook(self, args)
            if replaced is not None:
                args = replaced if isinstance(replaced, tuple) else (replaced,)
        out = self.forward(*args, **kwargs)
        for hook in list(self._hooks.values()):
            replaced = hook(self, args, out)
            if replaced is not None:
                out = replaced
        return out

    def _sign(self, error: MinigradError) -> None:
        """Note on an error that it came through here; the outermost module completes the path."""
        if error.module is None:
            error.passing_through("", f"{type(self).__name__}({self.extra_repr()})")
        else:
            inner = error.module
            error.passing_through(next((n for n, m in self.named_modules() if m is inner), ""))
        error.module = self

    def register_forward_pre_hook(self, hook: PreHook) -> RemovableHandle:
        """Call `hook(module, args)` before each forward.

        What it returns, unless None, replaces the arguments (a tuple) or the one argument.

        Returns:
            A handle; `handle.remove()` takes the hook off.
        """
        return RemovableHandle(self._pre_hooks, hook)

    def register_forward_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(module, args, output)` after each forward.

        What it returns, unless None, replaces the output.

        Returns:
            A handle; `handle.remove()` takes the hook off.

        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Tanh(), nn.ReLU())
        >>> handle = net[0].register_forward_hook(lambda module, args, out: print(out))
        >>> _ = net(mg.tensor([0.0]))
        tensor([0.])
        >>> handle.remove()
        """
        return RemovableHandle(self._hooks, hook)

    # -- registering -------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._register(name, "parameter", value)
        elif isinstance(value, Module):
            self._register(name, "module", value)
        else:
            role = self.__dict__.get("_roles", {}).get(name)
            if role is not None and value is not None:
                self._check_replacement(name, role, value)
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._roles.pop(name, None)
        self._unsaved.discard(name)

    def _register(self, name: str, role: Role, value: Any) -> None:
        if "_roles" not in self.__dict__:
            raise ArgumentError(
                f"{type(self).__name__}: '{name}' was assigned before super().__init__(); "
                "call that first in __init__"
            )
        if self._roles.get(name, role) != role:
            del self._roles[name]  # so that it moves to the end of those of its new role
            self._unsaved.discard(name)
        self._roles[name] = role
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
        if hasattr(self, name) and name not in self._roles:
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
        if module is not None and not isinstance(module, Module):
            self._check_replacement(name, "module", module)
        self._register(name, "module", module)

    add_module = register_module

    # -- walking -----------------------------------------------------------------------------

    def _registered(self, role: Role) -> list[tuple[str, Any]]:
        """Names and values of one role, in the order of registration, without the absent ones."""
        own, roles = self.__dict__, self._roles
        if role not in roles.values():
            return []
        return [(n, own[n]) for n, found in roles.items() if found == role and own[n] is not None]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct children with their names; one that has several names, once."""
        return _once(self._registered("module"))

    def children(self) -> Iterator[Module]:
        """The direct children, each once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named `prefix`) and all below it, parents first, each once."""
        return _tree(self, prefix, set())

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
        modules = self.named_modules(prefix) if recurse else iter([(prefix, self)])
        return _once(
            (f"{path}.{name}" if path else name, value)
            for path, module in modules
            for name, value in module._registered(role)
        )

    def get_submodule(self, path: str) -> Module:
        """The module at a path such as "body.3"; at "" this one.

        Raises:
            ArgumentError: there is no such module.
        """
        module = self
        for name in path.split(".") if path else []:
            found = dict(module._registered("module"))
            if name not in found:
                raise ArgumentError(
                    f"get_submodule: no module '{path}': {type(module).__name__} has no child "
                    f"'{name}'; it has {', '.join(found) or 'none'}"
                )
            module = found[name]
        return module

    def get_parameter(self, path: str) -> Parameter:
        """The parameter at a path such as "body.3.weight".

        Raises:
            ArgumentError: there is no such parameter.
        """
        parent, _, name = path.rpartition(".")
        module = self.get_submodule(parent)
        found = dict(module._registered("parameter"))
        if name not in found:
            raise ArgumentError(
                f"get_parameter: no parameter '{path}': {type(module).__name__} has no "
                f"'{name}'; it has {', '.join(found) or 'none'}"
            )
        return found[name]  # type: ignore[no-any-return]

    # -- changing all of it ------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set this module and all below it to training (or, with False, to evaluation)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set this module and all below it to evaluation: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Unfreeze (or, with False, freeze) every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or (set_to_none=False) make them zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = zeros_like(parameter)

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Call `function` on every module below, then on this one; returns this one.

        >>> from minigrad import nn
        >>> def zero_bias(module):
        ...     if isinstance(module, nn.Linear):
        ...         nn.init.zeros_(module.bias)
        >>> nn.Sequential(nn.Linear(2, 2)).apply(zero_bias)[0].bias
        Parameter containing:
        tensor([0., 0.], requires_grad=True)
        """
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, *targets: Any) -> Self:
        """Move every parameter and buffer, in this module, to a device, a dtype, or both.

        Integer buffers keep their dtype. An error changes nothing.

        Arguments:
            targets: "cpu", "cuda", "cuda:N", or a floating-point dtype.

        Raises:
            DtypeError: a dtype that is not floating point.

        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Linear(2, 1).to(mg.float64).weight.dtype
        dtype('float64')
        """
        state.convert([*self.parameters(), *self.buffers()], targets)
        return self

    def float(self) -> Self:
        """Every floating-point parameter and buffer as float32."""
        return self.to("float32")

    def double(self) -> Self:
        """Every floating-point parameter and buffer as float64."""
        return self.to("float64")

    # -- saving ------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """Everything to save: paths to parameters and persistent buffers, in order.

        The tensors share memory with the module (take `copy.deepcopy` for a snapshot) but
        require no gradient. Keys and order are PyTorch's; a shared parameter comes under each
        of its paths.
        """
        return {path: tensor.detach() for path, tensor in self._saved()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> state.Misfits:
        """Write saved values into the parameters and buffers of this module.

        Everything is checked before anything is written.

        Arguments:
            state_dict: path to Tensor or array, as `state_dict()` gives it.
            strict: with False, keys that are missing or unexpected are only returned.

        Returns:
            (missing_keys, unexpected_keys).

        Raises:
            ArgumentError: keys (when strict) or shapes or dtypes that do not fit.
        """
        return state.load(type(self).__name__, dict(self._saved()), state_dict, strict)

    def _saved(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        for name, value in chain(self._registered("parameter"), self._registered("buffer")):
            if name not in self._unsaved:
                yield prefix + name, value
        for name, child in self._registered("module"):
            yield from child._saved(f"{prefix}{name}.")

    # -- showing -----------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses; for subclasses to define."""
        return ""

    def __repr__(self) -> str:
        inside = self.extra_repr()
        children = [
            f"({name}): {module!r}".replace("\n", "\n  ")
            for name, module in self._registered("module")
        ]
        if not children:
            return f"{type(self).__name__}({inside})"
        lines = [inside, *children] if inside else children
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"


def _tree(module: Module, path: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
    """A module and all below it; `seen` stops at what was walked, also where it holds itself."""
    if id(module) in seen:
        return
    seen.add(id(module))
    yield path, module
    for name, child in module._registered("module"):
        yield from _tree(child, f"{path}.{name}" if path else name, seen)


def _once(pairs: Any) -> Iterator[tuple[str, Any]]:
    """Without the pairs whose value came before."""
    seen = set()
    for name, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value
