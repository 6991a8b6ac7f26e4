"""The curvature of the loss: the largest eigenvalue of its Hessian, which bounds the learning rate.

Along an eigenvector of the Hessian H with eigenvalue lambda, the loss is a parabola, and a step of
gradient descent multiplies the distance from its bottom by 1 - lr lambda. That shrinks as long as
lr < 2 / lambda; so the sharpest direction decides for all: gradient descent on a quadratic
converges for lr < 2 / lambda_max and diverges above.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.autograd import grad
from minigrad.diagnostics.arguments import check_loss, checked_generator, is_number
from minigrad.diagnostics.undisturbed import measuring, undisturbed, unobserved
from minigrad.errors import ArgumentError, GraphError, MinigradError
from minigrad.nn.arguments import check_count
from minigrad.ops import zeros_like
from minigrad.random import Generator
from minigrad.tape import RemovableHandle, enable_grad
from minigrad.tensor import Tensor

FLOAT = NDArray[np.float64]
Loss = Callable[[], Tensor]
Parameters = nn.Module | Tensor | Iterable[Tensor]

# After so many steps it shows whether the eigenvalues of both signs hold each other the balance.
_TRIAL = 20


class NotConverged(MinigradError, ArithmeticError):
    """An iteration that has not settled within the steps it was allowed.

    Attributes:
        value: the best estimate so far.
        residual: how far it may be off.
    """

    def __init__(self, message: str, value: float, residual: float) -> None:
        super().__init__(message)
        self.value, self.residual = value, residual


@dataclass(frozen=True, repr=False)
class TopEigenvalue:
    """What `hessian_top_eigenvalue` found.

    Attributes:
        value: lambda_max.
        vector: per parameter a Tensor of its shape; together of length 1.
        residual: |H v - lambda v|. An eigenvalue lies no farther from `value` than this.
        iterations: how many products with the Hessian it took.
    """

    value: float
    vector: tuple[Tensor, ...]
    residual: float
    iterations: int

    @property
    def largest_lr(self) -> float:
        """2 / lambda_max, above which gradient descent leaves this direction; inf if it is flat."""
        return 2 / self.value if self.value > 0 else math.inf

    def __repr__(self) -> str:
        size = sum(part.size for part in self.vector)
        return (
            f"<TopEigenvalue: {self.value:.6g}, give or take {self.residual:.1g}, after "
            f"{self.iterations} products with the Hessian; vector of {size} numbers>"
        )


def hessian_top_eigenvalue(
    loss: Loss,
    parameters: Parameters,
    *,
    tol: float = 1e-4,
    max_iterations: int = 1000,
    generator: Generator | None = None,
) -> TopEigenvalue:
    """The largest eigenvalue of the Hessian of a loss, by power iteration.

    v <- H v / |H v|, from a random direction: the part along the eigenvector with the eigenvalue
    of the largest magnitude outgrows all others. H itself is never formed; H v is the gradient of
    (gradient . v), so an iteration costs one backward. Where that eigenvalue is negative (or has
    a negative twin), the iteration goes on with H + shift, whose largest magnitude belongs to the
    largest eigenvalue of H. It ends where |H v - lambda v| <= tol times the largest magnitude; the
    error of lambda is about the square of that, unless a second eigenvalue lies as close.

    Arguments:
        loss: computes the loss from the parameters as they are, such as
            `lambda: loss_fn(model(x), y)`; called once.
        parameters: Tensors, or the module that holds them. A module is left as it was, with its
            running statistics and random numbers; parameters that are frozen count as constants.
        tol: relative tolerance, above 0. In float32 hardly below 1e-6.
        max_iterations: how many products with H at most.
        generator: where the random direction comes from; by default always the same.

    Raises:
        NotConverged: not within max_iterations; or the loss is not finite.
        ArgumentError: no parameters, a tol that is not above 0, or a loss that is no function.
        GraphError: the loss is not one number that was computed from the parameters.

    Source: power iteration is in every book on linear algebra; H v by Pearlmutter (1994), Fast
    exact multiplication by the Hessian.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import hessian_top_eigenvalue
    >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> found = hessian_top_eigenvalue(lambda: 2 * w[0] ** 2 + 5 * w[1] ** 2, [w])
    >>> round(found.value, 4), round(found.largest_lr, 4)
    (10.0, 0.2)
    """
    name = "hessian_top_eigenvalue"
    _check(name, loss, tol, max_iterations)
    points = _points(name, parameters)
    generator = checked_generator(name, generator) or Generator(0)
    with undisturbed(parameters) if isinstance(parameters, nn.Module) else unobserved():
        product = _product_with_hessian(name, loss, points)
        value, v, residual, count = _power_iteration(
            name, product, sum(p.size for p in points), tol, max_iterations, generator
        )
    return TopEigenvalue(value, tuple(_split(v, points)), residual, count)


def _check(name: str, loss: Any, tol: Any, max_iterations: Any) -> None:
    if not is_number(tol) or not tol > 0:
        raise ArgumentError(f"{name}: tol must be a number above 0, got {tol!r}")
    check_count(name, "max_iterations", max_iterations)
    check_loss(name, loss)


def _points(name: str, parameters: Any) -> list[Tensor]:
    if isinstance(parameters, nn.Module):
        parameters = parameters.parameters()
    elif isinstance(parameters, Tensor):
        parameters = [parameters]
    given = list(parameters) if isinstance(parameters, Iterable) else [parameters]
    if not all(isinstance(each, Tensor) for each in given):
        raise ArgumentError(
            f"{name}: parameters must be a model or its Tensors, such as model.parameters(), got "
            f"{type(parameters).__name__}"
        )
    # Each once: a parameter that counted twice would double its curvature.
    points = [p for p in {id(p): p for p in given}.values() if p.requires_grad]
    if not sum(p.size for p in points):
        raise ArgumentError(
            f"{name}: no parameters that require a gradient; pass a model, or tensors made with "
            "requires_grad=True"
        )
    return points


def _joined(tensors: Iterable[Tensor]) -> FLOAT:
    flat = [t.device.to_host(t.data).astype(np.float64).reshape(-1) for t in tensors]
    return np.concatenate(flat)


def _split(v: FLOAT, like: list[Tensor]) -> list[Tensor]:
    """A long vector as Tensors of these shapes, dtypes and devices."""
    ends = np.cumsum([p.size for p in like])[:-1]
    return [
        Tensor(p.device.xp.asarray(part.reshape(p.shape), dtype=p.dtype))
        for part, p in zip(np.split(v, ends), like, strict=True)
    ]


def _product_with_hessian(name: str, loss: Loss, points: list[Tensor]) -> Callable[[FLOAT], FLOAT]:
    with enable_grad():
        value = loss()
        if not isinstance(value, Tensor) or value.size != 1:
            got = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
            raise GraphError(f"{name}: the loss must be a Tensor of one number, got {got}")
        if not math.isfinite(value.item()):
            raise NotConverged(
                f"{name}: the loss is {value.item()}: no curvature", math.nan, math.nan
            )
        slopes = grad(value, points, create_graph=True, allow_unused=True)
    if all(slope is None for slope in slopes):
        raise GraphError(
            f"{name}: the loss depends on none of the parameters; compute it anew from them in "
            "each call of loss()"
        )
    used = [i for i, slope in enumerate(slopes) if slope is not None]

    def product(v: FLOAT) -> FLOAT:
        directions = _split(v, points)
        found = grad(
            [slopes[i] for i in used],  # type: ignore[misc]
            points,
            [directions[i] for i in used],
            retain_graph=True,
            allow_unused=True,
        )
        return _joined(
            zeros_like(p) if h is None else h for h, p in zip(found, points, strict=True)
        )

    return product


def _power_iteration(
    name: str,
    product: Callable[[FLOAT], FLOAT],
    size: int,
    tol: float,
    max_iterations: int,
    generator: Generator,
) -> tuple[float, FLOAT, float, int]:
    """The largest eigenvalue, its vector, |H v - lambda v|, and the number of products."""
    v = generator.normal((size,))
    shift = value = residual = 0.0
    for count in range(1, max_iterations + 1):
        v /= np.linalg.norm(v)
        hv = product(v)
        if not np.isfinite(hv).all():
            raise NotConverged(f"{name}: the second derivatives are not finite", value, math.nan)
        value, length = float(v @ hv), float(np.linalg.norm(hv))
        residual = float(np.linalg.norm(hv - value * v))
        settled = residual <= tol * max(abs(value), shift)
        if settled and (value >= 0 or shift):
            return value, v, residual, count
        if not shift and (settled or (count == _TRIAL and value < 0.9 * length)):
            # What was found belongs to the other end of the spectrum: begin again.
            shift, v = length, generator.normal(v.shape)
        else:
            v = hv + shift * v
    raise NotConverged(
        f"{name}: after {max_iterations} products with the Hessian the eigenvalue is "
        f"{value:.6g}, give or take {residual:.2g}; allow more max_iterations, or a larger tol "
        f"(now {tol:g})",
        value,
        residual,
    )


class sharpness:
    """lambda_max over the course of a training: measured before each `every`-th step.

    Gradient descent with a fixed learning rate makes the loss sharper until lambda_max hovers
    about 2 / lr, the edge of stability (Cohen et al. 2021). A context, around any loop:

    Arguments:
        loss: computes the loss from the parameters as they are, on all data or on a fixed batch.
        optimizer: whose steps are counted.
        every: measure before steps 0, every, 2 * every, ...
        parameters: as for `hessian_top_eigenvalue`; by default those of the optimizer. Give the
            module where its forward has a memory, as batch normalization has.
        tol, max_iterations: as for `hessian_top_eigenvalue`.

    Attributes:
        steps: at which steps was measured.
        values: lambda_max at each; NaN where it did not converge.
        limits: 2 / lr at each, lr being that of the optimizer's first group.

    Raises:
        ArgumentError: a loss that is no function, something that is no optimizer, or a setting
            out of its range.
        GraphError: entered while it is already in use.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import sharpness
    >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> bowl = lambda: 2 * w[0] ** 2 + 5 * w[1] ** 2
    >>> optimizer = mg.optim.SGD([w], lr=0.1)
    >>> with sharpness(bowl, optimizer, every=2) as found:
    ...     for _ in range(4):
    ...         optimizer.zero_grad()
    ...         bowl().backward()
    ...         optimizer.step()
    >>> found.steps, [round(value, 3) for value in found.values], found.limits
    ([0, 2], [10.0, 10.0], [20.0, 20.0])
    """

    def __init__(
        self,
        loss: Loss,
        optimizer: Any,
        every: int = 1,
        *,
        parameters: Parameters | None = None,
        tol: float = 1e-3,
        max_iterations: int = 1000,
    ) -> None:
        self.every = check_count("sharpness", "every", every)
        _check("sharpness", loss, tol, max_iterations)
        if not hasattr(optimizer, "register_step_pre_hook") or isinstance(optimizer, type):
            raise ArgumentError(
                f"sharpness: optimizer must be the one whose steps to count, one of mg.optim, got "
                f"{type(optimizer).__name__}; it goes sharpness(loss, optimizer)"
            )
        self._loss, self._optimizer = loss, optimizer
        self._of = parameters
        if parameters is not None and not isinstance(parameters, nn.Module | Tensor):
            self._of = _points("sharpness", parameters)
        self._tol, self._max_iterations = tol, max_iterations
        self._step = 0
        self._depth = 0  # of `measuring`, when it was entered
        self._handle: RemovableHandle | None = None
        self.steps: list[int] = []
        self.values: list[float] = []
        self.limits: list[float] = []

    def __repr__(self) -> str:
        if not self.steps:
            return f"<sharpness: nothing measured yet; every {self.every} steps>"
        return (
            f"<sharpness: {len(self.steps)} measured, steps {self.steps[0]} to {self.steps[-1]}; "
            f"the last {self.values[-1]:.4g}, where 2 / lr is {self.limits[-1]:.4g}>"
        )

    def __enter__(self) -> Self:
        if self._handle is not None:
            raise GraphError("sharpness: already in use; leave its `with` block first")
        self._depth = measuring.depth
        self._handle = self._optimizer.register_step_pre_hook(self._before_step)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._handle is not None:
            self._handle.remove()
        self._handle = None

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if measuring.depth != self._depth:  # a step of another measurement
            return
        if self._step % self.every == 0:
            self._measure()
        self._step += 1

    def _measure(self) -> None:
        groups = self._optimizer.param_groups
        of = [p for g in groups for p in g["params"]] if self._of is None else self._of
        try:
            value = hessian_top_eigenvalue(
                self._loss, of, tol=self._tol, max_iterations=self._max_iterations
            ).value
        except NotConverged:
            value = math.nan
        self.steps.append(self._step)
        self.values.append(value)
        self.limits.append(2 / groups[0]["lr"] if groups[0]["lr"] > 0 else math.inf)
