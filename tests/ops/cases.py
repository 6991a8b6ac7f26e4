"""The table of operations that the tests of this folder run. A new operation is one line here.

`Case("exp", UNARY)` means: `exp(x)` is called alike in minigrad, NumPy and PyTorch, on one argument
of each shape in UNARY. Where the three spell it differently the line says how, in functions of
`m` (the library) and the arguments. The arguments are random float64 between `low` and `high`, so
they avoid kinks and ties; those have tests of their own.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]

UNARY = [((),), ((0,),), ((3,),), ((2, 3),), ((2, 0, 3),), ((2, 1, 3),)]
BINARY = [
    ((), ()), ((3,), ()), ((), (2, 1)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), (1,)),
    ((0, 3), (3,)), ((1,), (2, 0)), ((2, 1, 2), (3, 1)),
]  # fmt: skip
MATRIX = [((2, 3),)]


@dataclass(frozen=True)
class Case:
    """One way to call one operation.

    Attributes:
        name: of the operation in `minigrad.ops`.
        shapes: per run, one shape for each argument.
        call: how minigrad calls it, and the other two unless `numpy` or `torch` says otherwise.
        low, high: the range of the arguments; a list has one pair for each argument.
        note: tells cases of one operation apart.
        differentiable: does backward go through it?
        linear: is the output, less its value at 0, linear in all arguments together?
    """

    name: str
    shapes: Sequence[tuple[Shape, ...]]
    call: Callable[..., Any] | None = None
    numpy: Callable[..., Any] | None = None
    torch: Callable[..., Any] | None = None
    low: float | list[float] = -2.0
    high: float | list[float] = 2.0
    note: str = ""
    differentiable: bool = True
    linear: bool = False

    def _default(self, m: Any, *xs: Any) -> Any:
        return getattr(m, self.name)(*xs)

    def in_minigrad(self, m: Any, *xs: Any) -> Any:
        return (self.call or self._default)(m, *xs)

    def in_numpy(self, *xs: Any) -> Any:
        return (self.numpy or self.call or self._default)(np, *xs)

    def in_torch(self, torch: Any, *xs: Any) -> Any:
        return (self.torch or self.call or self._default)(torch, *xs)

    def arguments(self, shapes: Sequence[Shape], strided: bool = False) -> list[np.ndarray]:
        """Random arguments, the same on every run; if `strided`, with gaps between the elements."""
        rng = np.random.default_rng(zlib.crc32(repr((self.name, self.note, shapes)).encode()))
        lows = self.low if isinstance(self.low, list) else [self.low] * len(shapes)
        highs = self.high if isinstance(self.high, list) else [self.high] * len(shapes)
        arrays = [
            np.asarray(rng.uniform(low, high, shape))
            for low, high, shape in zip(lows, highs, shapes, strict=True)
        ]
        return [_with_gaps(x) for x in arrays] if strided else arrays


def _with_gaps(x: np.ndarray) -> np.ndarray:
    """The same numbers, the axes in reverse order in memory and every second place unused."""
    room = np.full(tuple(2 * n for n in x.shape[::-1]), np.nan)
    view = room[(..., *[slice(None, None, 2)] * x.ndim)].T
    view[...] = x
    return view


def each(names: str, shapes: Sequence[tuple[Shape, ...]], **options: Any) -> list[Case]:
    """One case for each of several operations that differ in nothing but their name."""
    return [Case(name, shapes, **options) for name in names.split()]


def erf(m: Any, x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[float])(x)


def numpy_erf(m: Any, x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[float])(x)


# -- reductions: every axis, with and without keepdims -------------------------------------------

Fold = tuple[Shape, Any, bool]  # a shape, the axis to fold, keepdims
FOLDS: list[Fold] = [
    ((), None, False), ((3,), 0, True), ((2, 3), None, True), ((2, 3), -1, False),
    ((2, 1, 3), (0, 2), False), ((2, 2, 2), (1, -1), True), ((2, 0), 0, False),
]  # fmt: skip
OF_NOTHING: list[Fold] = [((0,), None, False), ((2, 0), 1, True)]
ONE_AXIS = [fold for fold in FOLDS if not isinstance(fold[1], tuple)]


def reduction(
    name: str, torch: Callable[..., Any], folds: list[Fold] = FOLDS,
    call: Callable[..., Any] | None = None, numpy: Callable[..., Any] | None = None, **options: Any,
) -> list[Case]:  # fmt: skip
    """A reduction, over `folds`.

    Arguments:
        torch: `(m, x, d, k)`, where d is a tuple of axes or an axis, and k is keepdim.
        call, numpy: `(m, x, a, k)`, where a is the axis as in `folds`.
    """

    def default(m: Any, x: Any, a: Any, k: bool) -> Any:
        return getattr(m, name)(x, axis=a, keepdims=k)

    def case(shape: Shape, a: Any, k: bool) -> Case:
        d = tuple(range(len(shape))) if a is None else a
        return Case(
            name,
            [(shape,)],
            lambda m, x: (call or default)(m, x, a, k),
            numpy=lambda m, x: (numpy or call or default)(m, x, a, k),
            torch=lambda m, x: torch(m, x, d, k),
            note=f"axis={a},keepdims={k}",
            **options,
        )

    return [case(*fold) for fold in folds]


def numpy_logsumexp(m: Any, x: Any, a: Any, k: bool) -> Any:
    return np.log(np.sum(np.exp(x), axis=a, keepdims=k))


def torch_prod(m: Any, x: Any, d: Any, k: bool) -> Any:
    """PyTorch's takes one axis at a time."""
    axes = d if isinstance(d, tuple) else (d,)
    last_first = sorted((a % x.ndim for a in axes), reverse=True)
    return functools.reduce(lambda x, a: x.prod(a, keepdim=k), last_first, x)


def torch_argmax(m: Any, x: Any, d: Any, k: bool) -> Any:
    return m.argmax(x, None if isinstance(d, tuple) else d, k)


def torch_argmin(m: Any, x: Any, d: Any, k: bool) -> Any:
    return m.argmin(x, None if isinstance(d, tuple) else d, k)


def torch_median(m: Any, x: Any, d: Any, k: bool) -> Any:
    """PyTorch's own takes the lower of the middle two."""
    return m.quantile(x, 0.5, None if isinstance(d, tuple) else d, k)


# -- what NumPy or PyTorch has under no name -----------------------------------------------------

ROWS = np.array([[1, 0, 0], [0, 1, 1]])  # along axis 0 of a (2, 3), a repeat in it
COLUMNS = np.array([[2, 2], [0, 1]])  # along axis 1 of a (2, 3)
PICK = np.array([2, 0, 2])


def numpy_add_along(x: np.ndarray, axis: int, index: np.ndarray, source: np.ndarray) -> np.ndarray:
    """PyTorch's scatter_add, an element at a time."""
    out = x.copy()
    for at in np.ndindex(index.shape):
        to = list(at)
        to[axis] = index[at]
        out[tuple(to)] += source[at]
    return out


def numpy_add_slices(x: np.ndarray, index: np.ndarray, source: np.ndarray) -> np.ndarray:
    """PyTorch's index_add along axis 1, a slice at a time."""
    out = x.copy()
    for k, to in enumerate(index):
        out[:, to] += source[:, k]
    return out


def numpy_topk(x: np.ndarray, k: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.take(np.argsort(-x, axis=axis, kind="stable"), np.arange(k), axis=axis)
    return np.take_along_axis(x, order, axis), order


def torch_pad(m: Any, x: Any, *widths: int, mode: str = "constant", value: float = 0) -> Any:
    """PyTorch's counts axes from the last, and repeats only 3-D input."""
    padded = m.nn.functional.pad(x[None], widths, mode, value if mode == "constant" else None)
    return padded[0]


# -- the table -----------------------------------------------------------------------------------

SMOOTH = [
    *each("add subtract", BINARY, linear=True),
    *each("multiply arctan2 logaddexp", BINARY),
    Case("divide", BINARY, low=[-2.0, 0.3]),
    *each("negative positive", UNARY, linear=True),
    Case("power", BINARY, lambda m, x, p: x**p, low=[0.3, -2.0]),
    Case("power", UNARY, lambda m, x: x**3, note="int"),
    Case("power", UNARY, lambda m, x: x**-1.5, low=0.3, note="float"),
    Case("power", UNARY, lambda m, x: x**1, note="one"),
    Case("power", UNARY, lambda m, p: 3.0**p, note="number to the"),
    *each("exp exp2 expm1 square sin cos tan arctan sinh cosh tanh arcsinh sinc", UNARY, high=1.4,
          low=-1.4),
    *each("log log2 log10 log1p sqrt reciprocal", UNARY, low=0.3),
    *each("arcsin arccos arctanh", UNARY, low=-0.9, high=0.9),
    Case("arccosh", UNARY, low=1.2),
    Case("erf", UNARY, numpy=numpy_erf),
]  # fmt: skip

PIECEWISE = [
    Case("abs", UNARY),
    *each("sign floor ceil trunc round", UNARY),
    Case("round", UNARY, lambda m, x: m.round(x, decimals=1), note="decimals"),
    Case("floor_divide", BINARY, torch=lambda m, a, b: m.floor(a / b), low=[-3.0, 0.3]),
    Case("remainder", BINARY, low=[-3.0, 0.3]),
    Case("remainder", BINARY, high=[2.0, -0.3], note="negative"),
    *each("maximum minimum", BINARY),
    Case("where", [*BINARY], lambda m, a, b: m.where(a < 0.2, a, b)),
    Case("where", UNARY, lambda m, a: m.where(a < 0, a, 0.0), note="number"),
    Case("clip", UNARY, lambda m, x: m.clip(x, -0.5, 0.5)),
    Case("clip", UNARY, lambda m, x: m.clip(x, None, 0.5), note="above"),
    Case("clip", [((2, 3), (3,), (1,))], lambda m, x, a, b: m.clip(x, a, b + 3), note="tensors"),
    Case("clip", [((2, 3), (3,), (1,))], lambda m, x, a, b: m.clip(x, a + 3, b), note="crossed"),
    Case("equal", BINARY, torch=lambda m, a, b: m.eq(a, b), differentiable=False),
    *each("not_equal less less_equal greater greater_equal", BINARY, differentiable=False),
    Case("isclose", BINARY, differentiable=False),
    *[
        Case(
            f"logical_{name}", BINARY, differentiable=False,
            call=lambda m, a, b, name=name: getattr(m, f"logical_{name}")(a < 0, b < 0),
        )
        for name in ("and", "or")
    ],
    *[
        Case(
            f"bitwise_{name}", BINARY, differentiable=False,
            call=lambda m, a, b, name=name: getattr(m, f"bitwise_{name}")(a < 0, b < 0),
        )
        for name in ("and", "or", "xor")
    ],
    Case("logical_not", UNARY, lambda m, x: m.logical_not(x < 0), differentiable=False),
    Case("invert", UNARY, lambda m, x: ~(x < 0), differentiable=False),
    *each("isnan isinf isfinite", UNARY, differentiable=False),
]  # fmt: skip

REDUCTIONS = [
    *reduction("sum", lambda m, x, d, k: m.sum(x, d, k), FOLDS + OF_NOTHING, linear=True),
    *reduction("mean", lambda m, x, d, k: m.mean(x, d, k), linear=True),
    *reduction("var", lambda m, x, d, k: m.var(x, d, correction=0, keepdim=k), FOLDS[:-1]),
    *reduction("std", lambda m, x, d, k: m.std(x, d, correction=0, keepdim=k), FOLDS[1:-1]),
    *[
        Case(name, [((2, 0),)], lambda m, x, name=name: getattr(m, name)(x, axis=0),
             torch=lambda m, x: x.sum(0), note="empty")
        for name in ("var", "std")
    ],
    Case("var", MATRIX, lambda m, x: m.var(x, 0, ddof=1), lambda m, x: np.var(x, 0, ddof=1),
         lambda m, x: m.var(x, 0), note="ddof=1"),
    Case("std", MATRIX, lambda m, x: m.std(x, 1, ddof=1), lambda m, x: np.std(x, 1, ddof=1),
         lambda m, x: m.std(x, 1), note="ddof=1"),
    *reduction("max", lambda m, x, d, k: m.amax(x, d, k)),
    *reduction("min", lambda m, x, d, k: m.amin(x, d, k)),
    *reduction("prod", torch_prod, FOLDS + OF_NOTHING),
    *reduction("logsumexp", lambda m, x, d, k: m.logsumexp(x, d, k), numpy=numpy_logsumexp),
    *reduction("median", torch_median, ONE_AXIS[:-1]),
    *reduction("argmax", torch_argmax, ONE_AXIS, differentiable=False),
    *reduction("argmin", torch_argmin, ONE_AXIS, differentiable=False),
    *reduction("all", lambda m, x, d, k: m.all(x > 0, d, k), FOLDS + OF_NOTHING,
               call=lambda m, x, a, k: m.all(x > 0, axis=a, keepdims=k), differentiable=False),
    *reduction("any", lambda m, x, d, k: m.any(x > 0, d, k), FOLDS + OF_NOTHING,
               call=lambda m, x, a, k: m.any(x > 0, axis=a, keepdims=k), differentiable=False),
    *[
        Case(name, [(shape,)], lambda m, x, name=name, axis=axis: getattr(m, name)(x, axis),
             torch=lambda m, x, name=name, axis=axis:
                 getattr(m, name)(x.ravel() if axis is None else x, axis or 0),
             note=f"axis={axis}", linear=name == "cumsum")
        for name in ("cumsum", "cumprod")
        for shape, axis in [((4,), 0), ((2, 3), -1), ((2, 1, 2), 0), ((2, 2), None), ((2, 0), 1),
                            ((0, 2), 1)]
    ],
]  # fmt: skip

SHAPING = [
    Case("reshape", [((2, 3),)], lambda m, x: m.reshape(x, (3, -1)), linear=True),
    Case("reshape", [((0, 3),)], lambda m, x: m.reshape(x, (3, 2, 0)), note="empty", linear=True),
    Case("reshape", [((1, 1),)], lambda m, x: m.reshape(x, ()), note="to 0-d", linear=True),
    Case("ravel", UNARY, linear=True),
    Case("flatten", UNARY, numpy=lambda m, x: x.flatten(), linear=True),
    Case("flatten", [((2, 1, 3, 2),)], lambda m, x: m.flatten(x, 1, -2),
         lambda m, x: x.reshape(2, 3, 2), note="between", linear=True),
    Case("transpose", UNARY, torch=lambda m, x: m.permute(x, tuple(range(x.ndim))[::-1]),
         linear=True),
    Case("transpose", [((2, 3, 1),)], lambda m, x: m.transpose(x, (2, 0, -2)),
         torch=lambda m, x: m.permute(x, (2, 0, 1)), note="axes", linear=True),
    Case("swapaxes", [((2, 3, 1),), ((0, 2, 1),)], lambda m, x: m.swapaxes(x, 0, -1), linear=True),
    Case("moveaxis", [((2, 3, 1),)], lambda m, x: m.moveaxis(x, 0, -1), linear=True),
    Case("moveaxis", [((2, 3, 1),)], lambda m, x: m.moveaxis(x, (0, 1), (-1, 0)), note="two",
         linear=True),
    Case("squeeze", [((),), ((1, 3, 1),), ((1, 0),)], linear=True),
    Case("squeeze", [((1, 3, 1),)], lambda m, x: m.squeeze(x, (0, -1)), note="axis", linear=True),
    Case("expand_dims", [((),), ((3,),), ((2, 0),)], lambda m, x: m.expand_dims(x, 0),
         torch=lambda m, x: m.unsqueeze(x, 0), linear=True),
    Case("expand_dims", [((3,),)], lambda m, x: m.expand_dims(x, (0, -1)),
         torch=lambda m, x: x[None, :, None], note="two", linear=True),
    Case("broadcast_to", [((),), ((3,),), ((2, 1),), ((2, 3),)],
         lambda m, x: m.broadcast_to(x, (2, 3)), linear=True),
    Case("broadcast_to", [((),), ((1,),)], lambda m, x: m.broadcast_to(x, (0, 2)), note="empty",
         linear=True),
    Case("concatenate", [((2, 3), (1, 3)), ((0, 3), (2, 3))], lambda m, *xs: m.concatenate(xs),
         linear=True),
    Case("concatenate", [((2, 1), (2, 2), (2, 0))], lambda m, *xs: m.concatenate(xs, axis=-1),
         note="axis", linear=True),
    Case("concatenate", [((2, 1), (), (3,))], lambda m, *xs: m.concatenate(xs, axis=None),
         torch=lambda m, *xs: m.cat([x.ravel() for x in xs]), note="flattened", linear=True),
    Case("stack", [((2, 3), (2, 3)), ((), ()), ((0,), (0,))], lambda m, *xs: m.stack(xs),
         linear=True),
    Case("stack", [((2, 3), (2, 3))], lambda m, *xs: m.stack(xs, axis=-1), note="axis",
         linear=True),
    Case("split", [((4, 2),), ((0, 2),)], lambda m, x: m.split(x, 2),
         torch=lambda m, x: m.tensor_split(x, 2), linear=True),
    Case("split", [((2, 5),)], lambda m, x: m.split(x, [1, 4], axis=1),
         torch=lambda m, x: m.tensor_split(x, [1, 4], dim=1), note="places", linear=True),
    Case("repeat", [((2, 3),), ((0,),), ((),)], lambda m, x: m.repeat(x, 2),
         torch=lambda m, x: m.repeat_interleave(x, 2), linear=True),
    Case("repeat", [((2, 3),)], lambda m, x: m.repeat(x, [2, 0, 1], axis=1),
         torch=lambda m, x: m.repeat_interleave(x, m.tensor([2, 0, 1]), 1), note="counts",
         linear=True),
    Case("tile", [((2, 3),), ((3,),), ((),), ((2, 1, 2),)], lambda m, x: m.tile(x, (2, 2)),
         linear=True),
    Case("tile", [((3,),)], lambda m, x: m.tile(x, (0,)), note="none", linear=True),
    Case("flip", UNARY, torch=lambda m, x: m.flip(x, tuple(range(x.ndim))), linear=True),
    Case("flip", MATRIX, lambda m, x: m.flip(x, (1,)), note="axis", linear=True),
    Case("roll", UNARY, lambda m, x: m.roll(x, 2), linear=True),
    Case("roll", [((2, 3), )], lambda m, x: m.roll(x, (1, -2), (0, 1)), note="axes", linear=True),
    *[
        Case("rot90", [((2, 3),), ((2, 0, 1),)], lambda m, x, k=k: m.rot90(x, k, (0, 1)),
             note=f"k={k}", linear=True)
        for k in (-1, 0, 1, 2, 3)
    ],
    Case("rot90", [((2, 3, 1),)], lambda m, x: m.rot90(x, 1, (2, 0)), note="axes", linear=True),
    Case("pad", [((2, 3),), ((0, 3),)], lambda m, x: m.pad(x, ((1, 0), (2, 1))),
         torch=lambda m, x: torch_pad(m, x, 2, 1, 1, 0), linear=True),
    Case("pad", [((3,),)], lambda m, x: m.pad(x, 1, constant_values=5.0),
         torch=lambda m, x: torch_pad(m, x, 1, 1, value=5.0), note="value", linear=True),
    *[
        Case("pad", [((2, 4),)], lambda m, x, mode=mode: m.pad(x, ((0, 0), (1, 3)), mode=mode),
             torch=lambda m, x, theirs=theirs: torch_pad(m, x, 1, 3, mode=theirs), note=mode,
             linear=True)
        for mode, theirs in [("edge", "replicate"), ("reflect", "reflect"), ("wrap", "circular")]
    ],
    Case("pad", [((2,),)], lambda m, x: m.pad(x, (3, 1), mode="symmetric"),
         torch=lambda m, x: x[[1, 1, 0, 0, 1, 1]], note="symmetric", linear=True),
    *[
        Case(name, [((3, 3),), ((2, 3, 4),), ((0, 2),)], lambda m, x, name=name, k=k:
             getattr(m, name)(x, k), note=f"k={k}", linear=True)
        for name in ("tril", "triu") for k in (0, 1, -1)
    ],
    Case("clone", UNARY, numpy=lambda m, x: x.copy(), linear=True),
    Case("astype", UNARY, lambda m, x: m.astype(x, np.float64), lambda m, x: x.copy(),
         lambda m, x: x.clone(), linear=True),
]  # fmt: skip

INDEXING = [
    Case("gather", [((2, 3),)], lambda m, x: m.gather(x, 0, ROWS),
         lambda m, x: np.take_along_axis(x, ROWS, 0),
         lambda m, x: m.gather(x, 0, m.tensor(ROWS)), linear=True),
    Case("gather", [((2, 3),)], lambda m, x: m.gather(x, 1, COLUMNS[:1]),
         lambda m, x: np.take_along_axis(x[:1], COLUMNS[:1], 1),
         lambda m, x: m.gather(x, 1, m.tensor(COLUMNS[:1])), note="shorter", linear=True),
    Case("take_along_axis", [((2, 3),)], lambda m, x: m.take_along_axis(x, COLUMNS, 1),
         torch=lambda m, x: m.take_along_dim(x, m.tensor(COLUMNS), 1), linear=True),
    Case("take_along_axis", [((2, 3),)], lambda m, x: m.take_along_axis(x, COLUMNS[:1], 1),
         torch=lambda m, x: m.take_along_dim(x, m.tensor(COLUMNS[:1]), 1), note="broadcast",
         linear=True),
    Case("take", [((2, 3),), ((3,),)], lambda m, x: m.take(x, PICK),
         torch=lambda m, x: m.take(x, m.tensor(PICK)), linear=True),
    Case("take", [((2, 3),), ((0, 3),)], lambda m, x: m.take(x, PICK, axis=1),
         torch=lambda m, x: m.index_select(x, 1, m.tensor(PICK)), note="axis", linear=True),
    Case("scatter_add", [((2, 3), (2, 2))],
         lambda m, x, y: m.scatter_add(x, 1, COLUMNS, y),
         lambda m, x, y: numpy_add_along(x, 1, COLUMNS, y),
         lambda m, x, y: m.scatter_add(x, 1, m.tensor(COLUMNS), y), linear=True),
    Case("scatter_add", [((2, 3), (2, 3))],
         lambda m, x, y: m.scatter_add(x, 0, ROWS, y),
         lambda m, x, y: numpy_add_along(x, 0, ROWS, y),
         lambda m, x, y: m.scatter_add(x, 0, m.tensor(ROWS), y), note="axis", linear=True),
    Case("index_add", [((2, 3), (2, 3)), ((0, 3), (0, 3))],
         lambda m, x, y: m.index_add(x, 1, PICK, y),
         lambda m, x, y: numpy_add_slices(x, PICK, y),
         lambda m, x, y: m.index_add(x, 1, m.tensor(PICK), y), linear=True),
    Case("sort", [((3,),), ((2, 3),), ((2, 0),)], torch=lambda m, x: m.sort(x)[0]),
    Case("sort", [((2, 3),)], lambda m, x: m.sort(x, axis=0, descending=True),
         lambda m, x: -np.sort(-x, axis=0), lambda m, x: m.sort(x, dim=0, descending=True)[0],
         note="descending"),
    Case("argsort", [((3,),), ((2, 3),), ((2, 0),)], differentiable=False),
    Case("argsort", [((2, 3),)], lambda m, x: m.argsort(x, axis=0, descending=True),
         lambda m, x: np.argsort(-x, axis=0),
         lambda m, x: m.argsort(x, dim=0, descending=True), note="descending",
         differentiable=False),
    Case("topk", [((4,),), ((2, 3),)], lambda m, x: m.topk(x, 2),
         lambda m, x: numpy_topk(x, 2, -1)),
    Case("topk", [((4, 2),)], lambda m, x: m.topk(x, 1, axis=0, largest=False),
         lambda m, x: (np.min(x, 0, keepdims=True), np.argmin(x, 0, keepdims=True)),
         lambda m, x: m.topk(x, 1, dim=0, largest=False), note="smallest"),
    Case("one_hot", UNARY, lambda m, x: m.one_hot(m.floor(m.abs(x)).astype(np.int64), 3,
                                                  dtype=np.float64),
         lambda m, x: np.eye(3)[np.floor(np.abs(x)).astype(int)],
         lambda m, x: m.nn.functional.one_hot(x.abs().floor().long(), 3).double(),
         differentiable=False),
]  # fmt: skip

CASES = [*SMOOTH, *PIECEWISE, *REDUCTIONS, *SHAPING, *INDEXING]
