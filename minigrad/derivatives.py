"""Derivatives of functions: Jacobian and Hessian matrices, and their products with vectors.

Each takes a function of Tensors and the point, as in `torch.autograd.functional`, and leaves the
`.grad` of every tensor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import ops
from minigrad.autograd import grad
from minigrad.errors import GraphError, ShapeError
from minigrad.tape import enable_grad
from minigrad.tensor import Tensor

Inputs = Tensor | Sequence[Tensor]


def _points(inputs: Inputs) -> list[Tensor]:
    """The inputs as fresh leaves (or, inside of a graph, as copies that stay attached to it)."""
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    return [x.clone() if x.requires_grad else x.detach().requires_grad_() for x in given]


def _output(name: str, func: Callable[..., Tensor], points: list[Tensor]) -> Tensor:
    out = func(*points)
    if not isinstance(out, Tensor):
        raise GraphError(f"{name}: the function must return one Tensor, got {type(out).__name__}")
    return out


def _like_inputs(results: Sequence[Any], inputs: Inputs) -> Any:
    """One result for one tensor; a tuple of them for a sequence of tensors."""
    return results[0] if isinstance(inputs, Tensor) else tuple(results)


def _slopes(
    outputs: Sequence[Tensor], points: list[Tensor], seeds: Any, create_graph: bool
) -> list[Tensor]:
    """`grad`, with zeros where no output depends on a point."""
    found = grad(
        outputs, points, seeds, create_graph=create_graph, retain_graph=True, allow_unused=True
    )
    return [ops.zeros_like(x) if g is None else g for g, x in zip(found, points, strict=True)]


def _vectors(name: str, v: Inputs, like: list[Tensor], what: str) -> list[Tensor]:
    vectors = [v] if isinstance(v, Tensor) else list(v)
    shapes, expected = [x.shape for x in vectors], [x.shape for x in like]
    if shapes != expected:
        raise ShapeError(f"{name}: v has shape {shapes}, the {what} {expected}; make them equal")
    return vectors


def jacobian(func: Callable[..., Tensor], inputs: Inputs, create_graph: bool = False) -> Any:
    """The matrix of all first derivatives, J[i, j] = d out_i / d in_j, one backward per output.

    Arguments:
        func: returns one Tensor, of shape `out`.
        inputs: a Tensor, or several, where to differentiate.
        create_graph: let the result be differentiated again.

    Returns:
        A Tensor of shape (*out, *in); a tuple of them for several inputs.

    >>> import minigrad as mg
    >>> mg.jacobian(lambda x: x * x, mg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        points = _points(inputs)
        out = _output("jacobian", func, points)
        rows = [_slopes([out_i], points, None, create_graph) for out_i in out.reshape(-1)]
    results = []
    for k, x in enumerate(points):
        shape = (*out.shape, *x.shape)
        # Of an empty output there are no rows to stack.
        empty = ops.zeros(shape, dtype=out.dtype)
        results.append(ops.stack([row[k] for row in rows]).reshape(shape) if rows else empty)
    return _like_inputs(results, inputs)


def hessian(func: Callable[..., Tensor], inputs: Tensor, create_graph: bool = False) -> Tensor:
    """The matrix of all second derivatives of a scalar function, H[i, j] = d2 out / d in_i d in_j.

    Arguments:
        func: returns a Tensor of one element.
        inputs: a Tensor of shape `in`.

    Returns:
        A Tensor of shape (*in, *in).

    >>> import minigrad as mg
    >>> mg.hessian(lambda x: (x**3).sum(), mg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def slope(x: Tensor) -> Tensor:
        out = _output("hessian", func, [x])
        if out.size != 1:
            raise GraphError(f"hessian: the function must return one number, got shape {out.shape}")
        return _slopes([out.reshape(())], [x], None, True)[0]

    return jacobian(slope, inputs, create_graph)  # type: ignore[no-any-return]


def vjp(func: Callable[..., Tensor], inputs: Inputs, v: Tensor) -> tuple[Tensor, Any]:
    """A vector times the Jacobian, v^T J: what one backward pass computes.

    Arguments:
        v: of the output's shape.

    Returns:
        (func(inputs), v^T J), the second of the shape of `inputs`.

    >>> import minigrad as mg
    >>> mg.vjp(lambda x: x * x, mg.tensor([1.0, 2.0]), mg.tensor([1.0, 1.0]))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        points = _points(inputs)
        out = _output("vjp", func, points)
        slopes = _slopes([out], points, _vectors("vjp", v, [out], "output"), False)
    return out.detach(), _like_inputs(slopes, inputs)


def jvp(func: Callable[..., Tensor], inputs: Inputs, v: Inputs) -> tuple[Tensor, Tensor]:
    """The Jacobian times a vector, J v: how the output moves when the inputs move along `v`.

    Computed by two backward passes: u^T J is linear in u, and its derivative along v is J v.

    Arguments:
        v: of the shape of `inputs` (one tensor for each of them).

    Returns:
        (func(inputs), J v), both of the output's shape.

    >>> import minigrad as mg
    >>> mg.jvp(lambda x: x * x, mg.tensor([1.0, 2.0]), mg.tensor([1.0, 0.0]))
    (tensor([1., 4.]), tensor([2., 0.]))
    """
    with enable_grad():
        points = _points(inputs)
        out = _output("jvp", func, points)
        u = ops.zeros_like(out).requires_grad_()
        back = _slopes([out], points, [u], True)
        (forward,) = _slopes(back, [u], _vectors("jvp", v, points, "input"), False)
    return out.detach(), forward


def hvp(func: Callable[..., Tensor], inputs: Inputs, v: Inputs) -> tuple[Tensor, Any]:
    """The Hessian of a scalar function times a vector, H v, at the cost of two backward passes.

    Arguments:
        v: of the shape of `inputs` (one tensor for each of them).

    Returns:
        (func(inputs), H v), the second of the shape of `inputs`.

    >>> import minigrad as mg
    >>> mg.hvp(lambda x: (x**3).sum(), mg.tensor([1.0, 2.0]), mg.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        points = _points(inputs)
        out = _output("hvp", func, points)
        slopes = _slopes([out], points, None, True)
        products = _slopes(slopes, points, _vectors("hvp", v, points, "input"), False)
    return out.detach(), _like_inputs(products, inputs)
