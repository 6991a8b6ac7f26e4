"""Numerical checks of derivatives: does a rule agree with the function that it belongs to?

`gradcheck` compares every entry of the Jacobian that backward gives with a central difference,

    df_i/dx_k  ~  (f_i(x + h e_k) - f_i(x - h e_k)) / 2h,

whose error is f''' h^2 / 6 from the series and about 1e-16 |f| / h from rounding. With h = 1e-6
in float64 both stay below 1e-9 for numbers of ordinary size; in float32 the second alone would be
0.1, so float32 is refused. (Nocedal and Wright, Numerical Optimization, 2nd ed. 2006, section 8.1.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from minigrad.autograd import grad
from minigrad.errors import ArgumentError, DtypeError, GradcheckError
from minigrad.tape import enable_grad
from minigrad.tensor import Tensor

Function = Callable[..., Any]  # of Tensors, returning one Tensor or several


def gradcheck(
    func: Function, inputs: Any, eps: float = 1e-6, atol: float = 1e-6, rtol: float = 1e-6
) -> bool:
    """Whether backward through `func` is right at `inputs`, in every entry of the Jacobian.

    Also checked: that each point is differentiable (the slopes to its left and right agree),
    that backward is linear in the gradient that arrives, and that the gradient of one input is
    the same whether or not others want theirs.

    Arguments:
        func: `func(*inputs)` returns a Tensor or several. Outputs that are not floating point
            are left out. It must give the same result on every call: no dropout.
        inputs: a Tensor, or a sequence of arguments. Those that require a gradient are checked;
            they must be float64. `eps` away from each element the function must exist too.
        eps: the step h of the difference.
        atol, rtol: analytic and numeric may differ by atol + rtol * |numeric|.

    Returns:
        True. What is wrong is raised, so that a test may just call it.

    Raises:
        GradcheckError: an entry disagrees, with both values; or the point is a kink, with both
            slopes; or backward is not linear or not consistent.
        DtypeError: an input or output is not float64.
        ArgumentError: no input requires a gradient, or `func` returns nothing to differentiate,
            or gives another result when called again.

    >>> import minigrad as mg
    >>> x = mg.tensor([0.5, 2.0], dtype=mg.float64, requires_grad=True)
    >>> gradcheck(lambda x: x * mg.exp(x), x)
    True
    >>> gradcheck(lambda x: x * mg.exp(x).detach(), x)
    Traceback (most recent call last):
    minigrad.errors.GradcheckError: gradcheck: d(output 0 at (1,)) / d(input 0 at (1,)): \
backward gives 7.38906, the central difference 22.1672 (relative error 0.667); 2 of 4 entries differ
    """
    with enable_grad():
        arguments = _leaves(_sequence(inputs))
        outputs = _outputs(func, arguments)
        jacobians = _analytic_jacobians(outputs, _wanted(arguments))
        numbers = [k for k, x in enumerate(arguments) if _is_wanted(x)]
        copies = [_copy(x) for x in arguments]
        f = _flat(_outputs(func, copies))
        _check_repeatable(_flat(outputs), f)
        for number, analytic in zip(numbers, jacobians, strict=True):
            where = _Places(number, copies[number].shape, [o.shape for o in outputs])
            numeric = _numeric_jacobian(func, copies, f, where, eps, atol, rtol)
            _compare(analytic, numeric, where, atol, rtol)
        _check_linear(outputs, _wanted(arguments), numbers, jacobians)
    return True


def gradgradcheck(
    func: Function, inputs: Any, eps: float = 1e-6, atol: float = 1e-6, rtol: float = 1e-6
) -> bool:
    """Whether second derivatives of `func` are right: `gradcheck` of its first gradient.

    What is checked is (x, g) -> J(x)^T g, in x and in g, for one random g per output (always
    the same), and that a recorded backward gives the same J(x)^T g as an ordinary one. It presumes
    that this is right: run `gradcheck` too.

    Arguments, returns and errors as for `gradcheck`; "output k" in a message is the gradient of
    the k-th input that requires one, and the inputs after the last are the g.

    >>> import minigrad as mg
    >>> x = mg.tensor([0.5, 2.0], dtype=mg.float64, requires_grad=True)
    >>> gradgradcheck(mg.tanh, x)
    True
    """
    given = _sequence(inputs)
    with enable_grad():
        arguments = _leaves(given)
        outputs = _outputs(func, arguments)
    rng = np.random.default_rng(0)
    seeds = [
        Tensor(o.device.upload(np.asarray(rng.normal(size=o.shape))), requires_grad=True)
        for o in outputs
    ]

    def first_gradient(*arguments: Any) -> list[Tensor]:
        xs, gs = arguments[: len(given)], arguments[len(given) :]
        wanted = _wanted(xs)
        found = grad(
            _outputs(func, xs), wanted, grad_outputs=gs, create_graph=True, allow_unused=True
        )
        return [x * 0 if g is None else g for x, g in zip(wanted, found, strict=True)]

    with enable_grad():
        ordinary = _pull(outputs, _wanted(arguments), _flat(seeds))
        recorded = first_gradient(*arguments, *seeds)
    for k, (a, b) in enumerate(zip(ordinary, recorded, strict=True)):
        if not np.allclose(a, _flat([b]), rtol=1e-9, atol=1e-9, equal_nan=True):
            raise GradcheckError(
                f"gradgradcheck: first gradient {k} is another one under create_graph=True; a rule "
                "must compute the same on Tensors as on arrays"
            )
    return gradcheck(first_gradient, (*given, *seeds), eps, atol, rtol)


# -- what goes in and what comes out -------------------------------------------------------------


def _sequence(inputs: Any) -> list[Any]:
    return list(inputs) if isinstance(inputs, Sequence) else [inputs]


def _is_wanted(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _wanted(arguments: Sequence[Any]) -> list[Tensor]:
    return [x for x in arguments if _is_wanted(x)]


def _leaves(inputs: list[Any]) -> list[Any]:
    """The inputs, each that wants a gradient as a leaf of its own on the same memory."""
    for number, x in enumerate(inputs):
        if _is_wanted(x) and x.dtype != np.float64:
            raise DtypeError(
                f"gradcheck: input {number} is {x.dtype}, in which a difference of step 1e-6 is "
                "mostly rounding; make it float64, e.g. mg.tensor(x, dtype=mg.float64)"
            )
    if not _wanted(inputs):
        raise ArgumentError(
            "gradcheck: no input requires a gradient; make one with requires_grad=True"
        )
    return [x.detach().requires_grad_() if _is_wanted(x) else x for x in inputs]


def _copy(x: Any) -> Any:
    return Tensor(x.data.copy(), requires_grad=True) if _is_wanted(x) else x


def _outputs(func: Function, arguments: Sequence[Any]) -> list[Tensor]:
    """The floating-point outputs of one call."""
    result = func(*arguments)
    several = list(result) if isinstance(result, tuple | list) else [result]
    for number, out in enumerate(several):
        if not isinstance(out, Tensor):
            raise DtypeError(
                f"gradcheck: func returned {type(out).__name__} as output {number}; "
                "it must return Tensors"
            )
        if out.dtype.kind == "f" and out.dtype != np.float64:
            raise DtypeError(
                f"gradcheck: output {number} is {out.dtype} though the inputs are float64; "
                "keep func in float64 throughout"
            )
    outputs = [out for out in several if out.dtype.kind == "f"]
    if not outputs:
        raise ArgumentError("gradcheck: func returned no floating-point Tensor to differentiate")
    return outputs


def _flat(outputs: Sequence[Tensor]) -> np.ndarray:
    """All elements of all outputs in a row: from here on the function has one output."""
    return np.concatenate([o.device.to_host(o.data).reshape(-1) for o in outputs])


class _Places:
    """Names for a row and a column of the Jacobian with respect to one input."""

    def __init__(
        self, number: int, shape: tuple[int, ...], output_shapes: list[tuple[int, ...]]
    ) -> None:
        self.number = number
        self.inputs = list(np.ndindex(shape))
        self.outputs = [(i, at) for i, s in enumerate(output_shapes) for at in np.ndindex(s)]

    def input(self, column: int) -> str:
        return f"input {self.number} at {self.inputs[column]}"

    def output(self, row: int) -> str:
        number, at = self.outputs[row]
        return f"output {number} at {at}"


# -- the Jacobian by backward --------------------------------------------------------------------


def _pull(
    outputs: list[Tensor], wanted: list[Tensor], g: np.ndarray, together: bool = True
) -> list[np.ndarray]:
    """Per input J^T g, flattened; asked for in one backward, or each in one of its own."""
    cuts = np.cumsum([o.size for o in outputs])[:-1]
    pieces = zip(np.split(g, cuts), outputs, strict=True)
    # None where nothing arrives, as for the outputs that a loss does not use.
    live = [
        (o, Tensor(o.device.upload(p.reshape(o.shape))))
        for p, o in pieces
        if o.requires_grad and p.any()
    ]
    if not live:
        return [np.zeros(x.size) for x in wanted]
    used, seeds = zip(*live, strict=True)
    groups = [wanted] if together else [[x] for x in wanted]
    found = [
        (x, gradient)
        for group in groups
        for x, gradient in zip(
            group, grad(used, group, seeds, retain_graph=True, allow_unused=True), strict=True
        )
    ]
    return [np.zeros(x.size) if d is None else _flat([d]) for x, d in found]


def _analytic_jacobians(outputs: list[Tensor], wanted: list[Tensor]) -> list[np.ndarray]:
    """Per input the matrix df/dx of shape (output elements, input elements), a row at a time."""
    size = sum(o.size for o in outputs)
    rows = [_pull(outputs, wanted, unit) for unit in np.eye(size)]
    return [np.array([row[k] for row in rows]).reshape(size, x.size) for k, x in enumerate(wanted)]


def _check_linear(
    outputs: list[Tensor], wanted: list[Tensor], numbers: list[int], jacobians: list[np.ndarray]
) -> None:
    """Raise unless a g of many elements pulls back to the sum of what its elements do."""
    g = np.random.default_rng(1).normal(size=sum(o.size for o in outputs))
    g[::2] = -np.abs(g[::2])  # however few they are, one is negative
    together = _pull(outputs, wanted, g)
    alone = _pull(outputs, wanted, g, together=False)
    close = partial(np.allclose, rtol=1e-9, atol=1e-9)
    for k, (number, jacobian) in enumerate(zip(numbers, jacobians, strict=True)):
        if not close(together[k], g @ jacobian):
            raise GradcheckError(
                "gradcheck: backward is not linear in the gradient g that arrives: for a random "
                f"g, the gradient of input {number} is not the sum of what each element of g "
                "gives; a rule may only scale, move and add elements of g"
            )
        if not close(together[k], alone[k]):
            raise GradcheckError(
                f"gradcheck: the gradient of input {number} differs when it is the only one asked "
                "for; a rule for several arguments must compute each on its own"
            )


# -- the Jacobian by differences -----------------------------------------------------------------


def _check_repeatable(first: np.ndarray, again: np.ndarray) -> None:
    if first.shape != again.shape or not np.allclose(
        first, again, rtol=1e-9, atol=1e-12, equal_nan=True
    ):
        raise ArgumentError(
            "gradcheck: func gave another result when called again with the same inputs; "
            "make it repeatable (no dropout, a generator with a fixed seed, no writes into inputs)"
        )


def _numeric_jacobian(
    func: Function, copies: list[Any], f: np.ndarray, where: _Places, eps: float, atol: float,
    rtol: float,
) -> np.ndarray:  # fmt: skip
    """The matrix df/dx by central differences, a column at a time.

    Raises:
        GradcheckError: the slopes on the two sides of an element disagree.
    """
    x = copies[where.number]
    rounding = 16 * np.finfo(np.float64).eps * np.abs(f) / eps
    jacobian = np.empty((f.size, x.size))
    for column, at in enumerate(where.inputs):
        slopes = partial(_one_sided_slopes, func, copies, x, at, f)
        left, right = slopes(eps)
        _check_finite(left + right, where, column, eps)
        jacobian[:, column] = (left + right) / 2
        gap = np.abs(right - left)
        suspect = gap > atol + rtol * np.abs(jacobian[:, column]) + rounding
        if suspect.any():
            # With half the step, the gap halves where f is merely curved, and stays at a kink.
            nearer = np.abs(np.subtract(*slopes(eps / 2)))
            _report_kink(suspect & (nearer > 0.75 * gap), left, right, where, column)
    return jacobian


def _one_sided_slopes(
    func: Function, copies: list[Any], x: Tensor, at: tuple[int, ...], f: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """(f(x) - f(x - h)) / h and (f(x + h) - f(x)) / h for the element of `x` at `at`."""
    middle = float(x.data[at])
    slopes = []
    for moved in (middle - step, middle + step):
        x.data[at] = moved
        difference = _flat(_outputs(func, copies)) - f
        slopes.append(difference / (moved - middle))  # the step as it was after rounding
    x.data[at] = middle
    return slopes[0], slopes[1]


def _check_finite(slopes: np.ndarray, where: _Places, column: int, eps: float) -> None:
    bad = np.flatnonzero(~np.isfinite(slopes))
    if bad.size:
        raise GradcheckError(
            f"gradcheck: {where.output(bad[0])} is not finite within {eps:g} of "
            f"{where.input(column)}: the edge of where the function is defined; "
            "move the input away from it"
        )


def _report_kink(
    at_kink: np.ndarray, left: np.ndarray, right: np.ndarray, where: _Places, column: int
) -> None:
    for row in np.flatnonzero(at_kink)[:1]:
        raise GradcheckError(
            f"gradcheck: {where.input(column)} is a kink of the function: the slope of "
            f"{where.output(row)} is {left[row]:z.6g} on the left and {right[row]:z.6g} on the "
            "right, so there is no derivative to check; move the input away from it"
        )


def _compare(
    analytic: np.ndarray, numeric: np.ndarray, where: _Places, atol: float, rtol: float
) -> None:
    # Written so that a NaN from backward counts as a difference.
    wrong = ~(np.abs(analytic - numeric) <= atol + rtol * np.abs(numeric))
    if not wrong.any():
        return
    rows, columns = np.nonzero(wrong)
    a, n = analytic[rows, columns], numeric[rows, columns]
    error = np.abs(a - n) / np.maximum(np.abs(a), np.abs(n))
    worst = int(np.argmax(error))  # a NaN comes first
    raise GradcheckError(
        f"gradcheck: d({where.output(rows[worst])}) / d({where.input(columns[worst])}): backward "
        f"gives {a[worst]:.6g}, the central difference {n[worst]:.6g} (relative error "
        f"{error[worst]:.3g}); {error.size} of {wrong.size} entries differ"
    )
