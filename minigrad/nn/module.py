"""Module: what every layer and every network is: it runs, changes, saves and shows itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Self

from minigrad.errors import MinigradError
from minigrad.nn import state
from minigrad.nn.registry import Registry
from minigrad.ops import zeros_like
from minigrad.tape import RemovableHandle
from minigrad.tensor import Tensor

PreHook = Callable[["Module", tuple[Any, ...]], Any]
Hook = Callable[["Module", tuple[Any, ...], Any], Any]


def _no_forward(self: Module, *args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(
        f"{type(self).__name__}: write a method forward(self, x) that computes the output"
    )


class Module(Registry):
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
    _pre_hooks: dict[int, PreHook]
    _hooks: dict[int, Hook]

    def __init__(self) -> None:
        super().__init__()
        self.training = True
        self._pre_hooks = {}
        self._hooks = {}

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

    def _repr_html_(self) -> str:
        from minigrad.nn.showing import html_table  # for notebooks alone

        return html_table(self)
