"""detect_anomaly: which operation made the first NaN or infinity, and out of what.

While it is on, every operation runs a checked forward in place of its own, and every backward goes
through checked derivative rules. They are put in on entering and taken out on leaving: the code
that runs otherwise knows nothing of them, and costs nothing more.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator, ExitStack
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np

from minigrad import autograd, nn
from minigrad.diagnostics.anomaly_message import (
    Origin,
    Place,
    Wrong,
    anomaly_error,
    wrong_numbers,
)
from minigrad.errors import ArgumentError, GraphError
from minigrad.ops import table
from minigrad.tape import Node

PACKAGE = str(Path(autograd.__file__).parent)


class _Here(threading.local):
    """What this thread is at.

    Attributes:
        infinity: per `detect_anomaly` block that it is in, whether infinity counts, too.
        origin: of the operation that runs.
        differentiating: the origin of the operation whose derivative runs, or None.
    """

    def __init__(self) -> None:
        self.infinity: list[bool] = []
        self.origin: Origin | None = None
        self.differentiating: Origin | None = None


_here = _Here()


class _WithBrackets(type):
    """Answers to `with detect_anomaly:`, where Python would tell of protocols."""

    def __enter__(cls) -> None:
        raise GraphError("detect_anomaly: brackets are missing; write `with detect_anomaly():`")

    def __exit__(cls, *exc: object) -> None:
        pass


class detect_anomaly(ContextDecorator, metaclass=_WithBrackets):
    """Within it, the first operation that gives NaN or infinity raises an AnomalyError.

    The error names the operation, forward or backward; the line of your code that called it; the
    layer it ran in; and what went in: dtype, shape, smallest and largest number, how many are NaN
    or infinite, and where the first of them stands. For a backward it says so of the operation
    whose derivative it is, as long as its forward ran inside, too.

    Also a decorator, `@detect_anomaly()`. A step takes two to three times as long, so it is for
    finding out, not for leaving on. Other threads are not checked, but are slower, too. Optimizers
    are no operations: weights that an update broke are named as what went into the next operation.

    Arguments:
        infinity: does infinity count? With False only NaN does: for code that uses infinity on
            purpose, say as a mask before a softmax.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import detect_anomaly
    >>> x = mg.tensor([4.0, 0.0], requires_grad=True)
    >>> with detect_anomaly():
    ...     mg.sqrt(x).sum().backward()
    Traceback (most recent call last):
    ...
    minigrad.diagnostics.anomaly_message.AnomalyError: detect_anomaly: the backward of 'sqrt'...
    """

    def __init__(self, *misplaced: Any, infinity: bool = True) -> None:
        if misplaced:
            raise ArgumentError(
                "detect_anomaly: takes no model and no function; write `with detect_anomaly():` "
                "around forward and backward, or @detect_anomaly(), with brackets, before a `def`"
            )
        self.infinity = bool(infinity)

    def __enter__(self) -> Self:
        _here.infinity.append(self.infinity)
        _checks.put_in()
        return self

    def __exit__(self, *exc: object) -> None:
        _here.infinity.pop()
        _checks.take_out()


# -- putting the checks in -----------------------------------------------------------------------


class _Checks:
    """Exchanges what operations run; in place as long as any thread is in a block."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.undo = ExitStack()

    def put_in(self) -> None:
        with self.lock:
            self.users += 1
            if self.users == 1:
                self._put_in()

    def take_out(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.undo.close()

    def _put_in(self) -> None:
        for operation in list(table.operations):
            spec = operation.spec
            if spec.outputs == 1:  # its code, which `codegen` wrote, has a scope of its own
                scope = operation.__globals__
                self._exchange(scope, "forward", _checked_forward(spec, scope["forward"]))
                self._exchange(scope, "new", _new)
            else:
                self._exchange(vars(spec), "forward", _checked_forward(spec, spec.forward))
        self._exchange(vars(table), "Node", _TracedNode)
        self._exchange(vars(autograd), "_walk", _checked_walk(autograd._walk))

    def _exchange(self, scope: dict[str, Any], name: str, value: Any) -> None:
        self.undo.callback(scope.__setitem__, name, scope[name])
        scope[name] = value


_checks = _Checks()


class _TracedNode(Node):
    """A node that knows where its operation was called."""

    __slots__ = ("origin",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.origin = _here.origin


def _new(kind: type) -> Any:
    if kind is not Node:
        return object.__new__(kind)
    node = object.__new__(_TracedNode)
    node.origin = _here.origin
    return node


# -- forward -------------------------------------------------------------------------------------


def _checked_forward(spec: table.Op, forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(xp: Any, *arrays: Any, **params: Any) -> Any:
        if not _here.infinity:
            return forward(xp, *arrays, **params)
        if _here.differentiating is not None:  # a rule at work, whose result is checked
            _here.origin = _here.differentiating
            return forward(xp, *arrays, **params)
        _here.origin = _origin()
        with np.errstate(all="ignore"):
            made = forward(xp, *arrays, **params)
        for part in made if isinstance(made, tuple) else (made,):
            if (wrong := wrong_numbers(part, _here.infinity[-1])) is not None:
                given = list(zip(_names(spec, len(arrays)), arrays, strict=True))
                raise anomaly_error(
                    spec.name, "", Wrong(part, wrong), given, _here.origin, _here.infinity[-1]
                )
        return made

    return run


def _names(spec: table.Op, count: int) -> list[str]:
    if spec.starred:
        return [f"{spec.arguments[0]}[{i}]" for i in range(count)]
    return spec.arguments


def _origin() -> Origin:
    place, modules = None, []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code is nn.Module.__call__.__code__:
            modules.append(frame.f_locals["self"])
        elif place is None and not code.co_filename.startswith((PACKAGE, "<operation ")):
            place = Place(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return Origin(place, tuple(modules))


# -- backward ------------------------------------------------------------------------------------


def _checked_walk(walk: Callable[..., None]) -> Callable[..., None]:
    def run(order: list[Node], *args: Any) -> None:
        if not _here.infinity:
            walk(order, *args)
            return
        nodes = list(order)
        ops = [node.op for node in nodes]
        for node, op in zip(nodes, ops, strict=True):
            node.op = _CheckedOp(op, getattr(node, "origin", None))
        try:
            with np.errstate(all="ignore"):  # what overflows in a sum is found by the next rule
                walk(order, *args)
        finally:
            for node, op in zip(nodes, ops, strict=True):
                node.op = op

    return run


class _CheckedOp:
    """A row of the table as the walk sees it: for one node, with derivative rules that look."""

    def __init__(self, op: Any, origin: Origin | None) -> None:
        self.op, self.origin = op, origin
        self.name, self.as_tensors = op.name, op.as_tensors
        self.joint = None if op.joint is None else self._joint
        self.rules = [
            None if rule is None else partial(self._rule, argument, rule)
            for argument, rule in zip(op.arguments, op.rules, strict=True)
        ]

    def _joint(self, g: Any, needs: Sequence[Any], *kept: Any) -> list[Any]:
        pulled = list(self._run(self.op.joint, g, needs, *kept))
        names = _names(self.op, len(pulled))
        for name, need, gradient in zip(names, needs, pulled, strict=True):
            if need is not None:
                self._check(name, self.op.joint, gradient, g, kept)
        return pulled

    def _rule(self, argument: str, rule: table.Rule, g: Any, *kept: Any) -> Any:
        gradient = self._run(rule, g, *kept)
        self._check(argument, rule, gradient, g, kept)
        return gradient

    def _run(self, rule: table.Rule, *args: Any) -> Any:
        outer, _here.differentiating = _here.differentiating, self.origin or Origin(None, ())
        try:
            return rule(*args)
        finally:
            _here.differentiating = outer

    def _check(
        self, argument: str, rule: table.Rule, gradient: Any, g: Any, kept: Sequence[Any]
    ) -> None:
        wrong = wrong_numbers(gradient, _here.infinity[-1])
        if wrong is not None:
            given = [
                ("the gradient of its output", g),
                *zip(self.op.named(rule), kept, strict=True),
            ]
            raise anomaly_error(
                self.name, argument, Wrong(gradient, wrong), given, self.origin, _here.infinity[-1]
            )
