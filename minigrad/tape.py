"""The tape: what one operation leaves behind for the way back, and when it does so.

A `Node` is one recorded operation. It points at the nodes of its inputs and never at its own
output tensor, so no reference cycle exists and Python frees a graph as soon as the last tensor
of it is gone.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from itertools import count
from typing import TYPE_CHECKING, Any

from minigrad.errors import GraphError

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

_serial_numbers = count()
next_serial_number = _serial_numbers.__next__

# Every recorded operation makes a few containers, and none of them in a cycle. At its defaults
# Python's cycle collector still looks through them after every 700 new ones, which makes a forward
# through 10,000 layers take 1.7 times as long; so it shall do that less often. Where somebody has
# switched it off (0), it stays so.
if 0 < gc.get_threshold()[0] < 10_000:
    gc.set_threshold(10_000, *gc.get_threshold()[1:])

FREED: tuple[Any, ...] = ("freed",)  # stands in `Node.kept` once a backward pass has used it up


class Node:
    """One recorded operation, or (with `op` None) a leaf: a tensor that nothing computed.

    Attributes:
        op: the row of the rules table, or None for a leaf.
        parents: per argument of the op, the node of that argument, or None where no gradient
            is wanted.
        kept: per argument, the values that its derivative rule names (see `ops.table`).
        stamps: flat pairs (version cell, version when kept) of every kept tensor.
        shape, dtype: of the output; a gradient that arrives here has the same.
        serial: the birth number. An op is always recorded after its inputs, so sorting by it
            is a topological sort.
        watch: who wants to see the gradient that arrives here, or None.
    """

    __slots__ = ("dtype", "kept", "op", "parents", "serial", "shape", "stamps", "watch")

    def __init__(
        self,
        op: Any,
        parents: tuple[Node | None, ...],
        kept: Sequence[Any],
        stamps: Sequence[Any],
        shape: tuple[int, ...],
        dtype: Any,
    ) -> None:
        self.op = op
        self.parents = parents
        self.kept = kept
        self.stamps = stamps
        self.shape = shape
        self.dtype = dtype
        self.serial = next_serial_number()
        self.watch: Watch | None = None

    def __repr__(self) -> str:
        return f"<{self.op.name if self.op else 'leaf'} {self.shape}>"

    def watched(self) -> Watch:
        """The watch of this node, made when first asked for."""
        if self.watch is None:
            self.watch = Watch()
        return self.watch

    def check_unfreed(self) -> None:
        if self.kept is FREED:
            raise GraphError(
                f"backward: the graph through '{self.op.name}' was already freed by an earlier "
                "backward; call that one with retain_graph=True, or compute the result again"
            )

    def check_unchanged(self) -> None:
        """Raise if a value that was kept has been written to since."""
        stamps = self.stamps
        for i in range(0, len(stamps), 2):
            if stamps[i][0] != stamps[i + 1]:
                raise GraphError(
                    f"backward: a value that '{self.op.name}' (output shape {self.shape}) needs "
                    f"for its derivative was changed in place: kept at version {stamps[i + 1]}, "
                    f"now at version {stamps[i][0]}; use an out-of-place operation, or change a "
                    "clone()"
                )


class Watch:
    """Who sees the gradient that arrives at a node.

    Attributes:
        observers: functions that only look at it, called first. They get the plain array (under
            create_graph, a Tensor), and must not write into it.
        hooks: functions that may replace it, by their handle's key.
        tensor: weak reference to the tensor whose `.grad` is to be filled, or None.
    """

    __slots__ = ("hooks", "observers", "tensor")

    def __init__(self, tensor: Tensor | None = None) -> None:
        self.observers: list[Callable[[Any], None]] = []
        self.hooks: dict[int, Callable[[Tensor], Tensor | None]] = {}
        self.tensor = None if tensor is None else weakref.ref(tensor)


def leaf(tensor: Tensor) -> Node:
    """The node of a tensor that the user made and wants the gradient of."""
    node = Node(None, (), (), (), tensor.shape, tensor.dtype)
    node.watch = Watch(tensor)
    return node


class _LastWrite:
    """When a tensor was last written to in place, on the clock of the serial numbers."""

    serial = -1


last_write = _LastWrite()


class _Mode(threading.local):
    """Whether this thread records, and what to go back to when its contexts end.

    Attributes:
        afterwards: called, each once, when the backward pass under way has ended and every `.grad`
            is filled. A hook appends to it.
        fills_grad: does the backward pass under way fill `.grad`? That of `mg.grad` does not.
        retains_graph: does it keep the graph for another one?
    """

    def __init__(self) -> None:
        self.enabled = True
        self.before: list[bool] = []
        self.afterwards: list[Callable[[], None]] = []
        self.fills_grad = self.retains_graph = False


mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded at the moment.

    >>> is_grad_enabled()
    True
    """
    return mode.enabled


class set_grad_enabled(ContextDecorator):
    """Switch recording on or off in this thread, at once; as a context, until its end.

    Also a decorator, for the calls of one function.

    Arguments:
        enabled: record operations from now on?

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    >>> is_grad_enabled()
    True
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled = bool(enabled)
        self.previous = mode.enabled
        mode.enabled = self.enabled

    def __call__(self, function: Any) -> Any:
        mode.enabled = self.previous  # to decorate a function switches nothing yet
        return super().__call__(function)

    def _recreate_cm(self) -> set_grad_enabled:
        return type(self)(self.enabled)

    def __enter__(self) -> None:
        mode.enabled = self.enabled

    def __exit__(self, *exc: object) -> None:
        mode.enabled = self.previous


class _Switch(ContextDecorator):
    """A context that can be entered many times, also within itself and as a decorator."""

    enabled: bool

    def __new__(cls, function: Any = None) -> Any:
        # `@no_grad` and `@no_grad()` both decorate.
        switch = super().__new__(cls)
        return switch if function is None else switch(function)

    def __enter__(self) -> None:
        mode.before.append(mode.enabled)
        mode.enabled = self.enabled

    def __exit__(self, *exc: object) -> None:
        mode.enabled = mode.before.pop()


class no_grad(_Switch):
    """Within it, operations of this thread are not recorded: no nodes, nothing kept.

    Also a decorator, `@no_grad()`. In-place writes to leaves are allowed inside.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> with mg.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5], requires_grad=True)
    """

    enabled = False


class enable_grad(_Switch):
    """Within it, operations of this thread are recorded, also inside `no_grad`.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """

    enabled = True


inference_mode = no_grad  # the name that PyTorch scripts use; here it needs nothing more


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook off again.

    Removing twice does no harm. As a context it removes the hook at the end.
    """

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self._hooks, self._hook = hooks, hook
        self._key = next_serial_number()
        self.put_back()

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    def put_back(self) -> None:
        """Register the hook again, after `remove()`."""
        self._hooks[self._key] = self._hook

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
