"""What `detect_anomaly` says: which operation, out of what numbers, called where."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from minigrad import nn
from minigrad.backend import device_of
from minigrad.errors import GraphError
from minigrad.tensor import Tensor

CURES = {
    "arccos": "its slope is infinite at -1 and 1; clip what goes in",
    "arcsin": "its slope is infinite at -1 and 1; clip what goes in",
    "divide": "keep the divisor away from 0, e.g. x / (y + 1e-8)",
    "exp": "float32 ends at exp(88.7); subtract the maximum first, or use log_softmax",
    "log": "log(0) is -inf and below there is none; clip first, e.g. mg.log(mg.clip(x, 1e-8)), or "
    "use log_softmax or a loss that takes scores",
    "power": "a negative number has no fractional power, 0 no negative one, and the slope of a "
    "power below 1 is infinite at 0; add a small number first",
    "reciprocal": "keep what goes in away from 0",
    "sqrt": "its slope is infinite at 0, and below 0 there is no root; add a small number first, "
    "e.g. mg.sqrt(x + 1e-8)",
}


class AnomalyError(GraphError, ArithmeticError):
    """Under `detect_anomaly`, an operation gave NaN or infinity.

    Attributes:
        op: name of the operation.
        phase: "forward", or "backward" where its derivative did.
        place: file, line and function that called the operation; None if it is not known.
    """

    def __init__(self, message: str, op: str, phase: str, place: Place | None) -> None:
        super().__init__(message)
        self.op, self.phase, self.place = op, phase, place


class Place(NamedTuple):
    """A line of code outside minigrad."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        code = linecache.getline(self.file, self.line).strip()
        return f"{self.file}:{self.line}, in {self.function}" + (f": {code}" if code else "")


class Origin(NamedTuple):
    """Who called an operation: the line, and the modules that it ran in, innermost first."""

    place: Place | None
    modules: tuple[nn.Module, ...]


class Wrong(NamedTuple):
    """Numbers, and which of them are NaN or infinite."""

    numbers: Any
    where: Any

    def __str__(self) -> str:
        count, total = int(self.where.sum()), self.where.size
        index = tuple(int(i[0]) for i in self.where.nonzero()) if self.where.ndim else ()
        value = float(_array(self.numbers)[index])
        if total == 1:
            return f"{value}"
        return f"{value} (the first at {list(index)}; {count} of {total} numbers are wrong)"


def _array(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value


def _is_array(value: Any) -> bool:
    return isinstance(getattr(value, "dtype", None), np.dtype)


def wrong_numbers(value: Any, infinity: bool) -> Any:
    """Which numbers of an array or Tensor are NaN, or infinite if that counts; None: none is."""
    array = _array(value)
    if not _is_array(array) or array.dtype.kind != "f":
        return None
    xp = device_of(array).xp
    found = ~xp.isfinite(array) if infinity else xp.isnan(array)
    return found if found.any() else None


def anomaly_error(
    op: str,
    argument: str,
    wrong: Wrong,
    given: Iterable[tuple[str, Any]],
    origin: Origin | None,
    infinity: bool,
) -> AnomalyError:
    """The error for an operation whose forward, or gradient by an argument, went wrong.

    Arguments:
        op: name of the operation.
        argument: whose gradient it is; "" for the forward.
        wrong: what came out.
        given: by name, what went in.
        origin: who called the operation, if that is known.
        infinity: does infinity count?
    """
    origin = origin or Origin(None, ())
    given = [(name, _array(value)) for name, value in given]
    phase = "backward" if argument else "forward"
    told = f"the backward of '{op}'" if argument else f"'{op}'"
    told += f" gave {wrong}" + (f" as gradient of {argument}" if argument else "")
    came_in = [
        _named(name, a, origin) for name, a in given if wrong_numbers(a, infinity) is not None
    ]
    why = f"it came in with {' and '.join(came_in)}" if came_in else _cure(op, given)
    place = origin.place or (
        "a place that is not known: its forward ran before the block began; move it inside"
    )
    lines = [
        f"detect_anomaly: {told}{'; ' + why if why else ''}",
        *(f"  {name}: {text}" for name, value in given if (text := _described(value))),
        f"  called at {place}",
    ]
    error = AnomalyError("\n".join(lines), op, phase, origin.place)
    if argument and origin.modules:  # the forward's error learns its layer on its way up
        layer, *_, outermost = (*origin.modules, origin.modules[-1])
        path = next((n for n, m in outermost.named_modules() if m is layer), "")
        error.passing_through(path, f"{type(layer).__name__}({layer.extra_repr()})")
        error.module = outermost
    return error


def _cure(op: str, given: Iterable[tuple[str, Any]]) -> str:
    """What to do where only finite numbers went in; "" where nobody knows."""
    if op in CURES:
        return CURES[op]
    for _, array in given:
        if _is_array(array) and array.dtype.kind == "f" and array.size:
            end = float(np.finfo(array.dtype).max)
            # Products of few such numbers, and sums of them, go beyond the end.
            if end**0.25 < float(abs(array).max()) <= end:
                return (
                    f"the numbers grew beyond {end:.2g}, where {array.dtype} ends; try a smaller "
                    "learning rate, an initialization with smaller weights, or a normalization "
                    "layer"
                )
    return ""


def _named(name: str, array: Any, origin: Origin) -> str:
    """The name of what went in, with the path of the parameter that it is."""
    if origin.modules:
        for path, parameter in origin.modules[-1].named_parameters():
            if parameter.data is array:
                return (
                    f"{name}, which is the parameter '{path}' (if an update made it so, try a "
                    "smaller learning rate, or clipped gradients)"
                )
    return name


def _described(value: Any) -> str:
    """dtype, shape and range of an array, and how much in it is wrong; "" for anything else."""
    if isinstance(value, bool | int | float):
        return repr(value)
    if not _is_array(value):
        return ""
    text = f"{value.dtype} of shape {tuple(value.shape)}"
    if not value.size or value.dtype.kind not in "fiu":
        return text
    xp = device_of(value).xp
    fine = xp.isfinite(value)
    if fine.any():
        numbers = value[fine]
        text += f", {float(numbers.min()):.4g} to {float(numbers.max()):.4g}"
    if not fine.all():
        nans = int(xp.isnan(value).sum())
        first = [int(i[0]) for i in (~fine).nonzero()] if value.ndim else []
        text += f", besides {nans} NaN and {int((~fine).sum()) - nans} infinite, first at {first}"
    return text
