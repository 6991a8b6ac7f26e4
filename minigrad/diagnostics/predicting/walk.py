"""The walk of `predict` through a network: which rule of `ideal` goes with which module."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.diagnostics.predicting import ideal
from minigrad.diagnostics.predicting.ideal import Back, Power, Signal
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.theory.activation import function_of
from minigrad.diagnostics.theory.profiles import LayerScale, numbers_of
from minigrad.errors import ArgumentError, MinigradError
from minigrad.nn import functional as F
from minigrad.tape import no_grad
from minigrad.tensor import Tensor

FLOAT = NDArray[np.float64]


@dataclass
class Row:
    """One layer.

    Attributes:
        path: in the network.
        linear: a Linear layer? Else it is a residual block.
        square: mean square of its output.
        correlation: of two examples there.
        dz_log: logarithm of the mean square of dL/dz, set on the way back.
        chance: variance of log square over networks of this width, given the layer before.
    """

    path: str
    linear: bool
    square: float
    correlation: float
    dz_log: float = math.nan
    chance: float = 0.0


State = Signal | FLOAT  # before the first Linear layer, the batch itself
Passed = tuple[Any, Back]


def _nothing(power: Power) -> Power:
    return power


class Walk:
    """One walk through a network and back: a row for each layer, and a rule for each module.

    Arguments:
        model: the network.
        x: a batch; or None, for independent numbers of mean 0 and variance 1.
        nudge: by which share the mean square of the first Linear layer is larger than theory
            says. Such a walk is a second one, and takes the weights to be checked.

    Attributes:
        rows: a `Row` for each Linear layer and residual block, in the order of their outputs.

    Raises:
        ArgumentError: a network without Linear layers, or x that is no batch of numbers.
    """

    def __init__(self, model: nn.Module, x: Any, nudge: float = 0.0) -> None:
        self.rows: list[Row] = []
        self._model = model
        self._nudge = nudge
        self._owners: dict[int, str] = {}
        self._draws = 0
        self._inside = 0  # how many residual branches the walk is in
        self._widths: list[int] = []
        self._uneven: list[str] = []
        self._normalizes_batches = False
        self._to_come = _linears_in(model)
        if not self._to_come:
            raise ArgumentError(
                f"predict: {type(model).__name__} has no nn.Linear, which is where theory begins"
            )
        self._start = self._batch(x)
        self._examples = len(self._start) if isinstance(self._start, np.ndarray) else None

    def _batch(self, x: Any) -> State:
        """The batch as an array, or a signal that stands for one."""
        if x is None:
            return ideal.gaussian(1.0, 0.0, self._draw())
        if isinstance(x, tuple):
            raise ArgumentError(
                "predict: x is a tuple; pass the inputs of the batch alone, without the targets"
            )
        if isinstance(x, Recording):
            raise ArgumentError(
                f"predict: x is a {type(x).__name__}; a prediction is laid over it by "
                "predict(model, x).over(probe), and x is a batch of inputs"
            )
        data = x.detach().cpu().data if isinstance(x, Tensor) else np.asarray(x)
        if data.ndim < 2 or data.size == 0 or data.dtype.kind not in "fiub":
            told = f"{data.dtype} of shape {data.shape}"
            told = type(x).__name__ if data.dtype.kind == "O" else told
            raise ArgumentError(
                f"predict: x is {told}; it takes a batch of numbers, (examples, features)"
            )
        if not np.isfinite(data).all():
            raise ArgumentError("predict: x holds NaN or infinity; drop such examples")
        return np.asarray(data, dtype=np.float64)

    def there_and_back(self) -> None:
        """Fill the rows."""
        _, back = self._through("", self._model, self._start)
        back(Power(np.ones(ideal.MEMBERS), 0.0))

    def notes(self) -> list[str]:
        """Where the network is not quite what the theory assumes."""
        found = []
        if self._normalizes_batches and self._examples is not None and self._examples < 128:
            found.append(
                f"batch norm over {self._examples} examples: the theory is that of large batches; "
                "in small ones gradients grow faster"
            )
        if self._uneven:
            found.append(
                f"the weights of '{self._uneven[0]}' stretch one direction more than independent "
                "ones would, as if trained; theory is that of networks as initialized"
            )
        lost = [row.path for row in self.rows if not math.isfinite(row.square)]
        if lost:
            found.append(f"from '{lost[0]}' on, z is beyond all floats")
        if sum(1 / width for width in self._widths) > 1:
            found.append(
                f"{len(self._widths)} layers of down to {min(self._widths)} units are narrow for "
                "their depth: expect single networks to lie far from the prediction"
            )
        return found

    def _draw(self) -> int:
        self._draws += 1
        return self._draws

    def _through(self, path: str, module: nn.Module, state: State) -> Passed:
        """The state after a module, and the way back."""
        if not self._to_come and not self._inside:
            return state, _nothing
        rule = _RULES.get(type(module).forward, Walk._activation)
        try:
            return rule(self, path, module, state)
        except MinigradError as error:
            if str(error).startswith("predict:"):
                raise
            where = f"layer '{path}' ({type(module).__name__})" if path else type(module).__name__
            raise ArgumentError(f"predict: {where}: {error}") from error

    # -- the rules -------------------------------------------------------------------------------

    def _sequential(self, path: str, module: Any, state: State) -> Passed:
        ways = []
        for name, child in module._registered("module"):
            state, back = self._through(f"{path}.{name}" if path else name, child, state)
            ways.append(back)

        def back_through(power: Power) -> Power:
            for back in reversed(ways):
                power = back(power)
            return power

        return state, back_through

    def _linear(self, path: str, layer: Any, state: State) -> Passed:
        self._to_come -= 1
        if not self._nudge:
            self._check_weights(path, layer)
        scale = LayerScale.of(layer)
        chance = 0.0
        if isinstance(state, Signal):
            square, product = state.square, state.product
            if square:
                chance = float(np.var(state.values[0] ** 2 / square)) / scale.fan_in
        else:
            rows = state.reshape(-1, state.shape[-1])
            if rows.shape[1] != scale.fan_in:
                raise ArgumentError(
                    f"x brings {rows.shape[1]} features here, but this layer takes {scale.fan_in}"
                )
            square, product = float(np.mean(rows**2)), float(np.mean(rows.mean(axis=0) ** 2))
        nudge = 1.0 if self.rows else 1 + self._nudge
        out = ideal.gaussian(
            nudge * (scale.sigma_w2 * square + scale.bias_variance),
            nudge * (scale.sigma_w2 * product + scale.bias_variance),
            self._draw(),
        )
        row = self._row(path or type(layer).__name__, out, linear=True)
        if out.square:  # biases do not change
            row.chance = chance * (scale.sigma_w2 * square / out.square) ** 2
        if self._to_come:
            self._widths.append(scale.fan_out)

        def back(power: Power) -> Power:
            row.dz_log = power.mean_log()
            gain = scale.fan_out * scale.weight_variance
            log = row.dz_log + math.log(gain) if gain else -math.inf
            return Power(np.ones(ideal.MEMBERS), log)

        return out, back

    def _row(self, path: str, out: Signal, linear: bool) -> Row:
        # The covariance comes out of sums, so its share of the variance may round to above 1.
        correlation = min(out.product / out.square, 1.0) if out.square else math.nan
        self.rows.append(Row(path, linear, out.square, correlation))
        return self.rows[-1]

    def _check_weights(self, path: str, layer: Any) -> None:
        owner = self._owners.setdefault(id(layer), path)
        shared = self._owners.setdefault(id(layer.__dict__.get("weight", layer)), path)
        for other in (owner, shared):
            if other != path:
                raise ArgumentError(
                    f"it has the weights of '{other}'; weights that a signal meets twice are not "
                    "independent of it, and theory does not cover them"
                )
        weight = numbers_of(layer, "weight")
        size = float(np.sqrt(np.mean(weight**2)))
        errors = abs(float(weight.mean())) / size * math.sqrt(weight.size) if size else 0.0
        if not errors < 5:
            raise ArgumentError(
                f"the mean of its weights lies {errors:.1f} standard errors from 0, so they are no "
                "independent draws around 0, as theory needs; constant and identity weights are "
                "such, and trained ones, so predict before training"
                if math.isfinite(errors)
                else "its weights hold NaN or infinity"
            )
        # The largest singular value of independent numbers is that, and hardly ever 1.25 times it.
        if _largest_stretch(weight) > 1.25 * size * sum(math.sqrt(n) for n in weight.shape):
            self._uneven.append(path)

    def _residual(self, path: str, block: Any, state: State) -> Passed:
        signal = self._signal(state)
        learned = isinstance(block.scale, Tensor)
        scale = ideal.laid_out(block.scale) if learned else float(block.scale)
        inner = f"{path}.branch" if path else "branch"
        self._inside += 1
        branch, through_branch = self._through(inner, block.branch, signal)
        self._inside -= 1
        if branch.sources & signal.sources:
            raise ArgumentError(
                "no Linear layer stands between its input and a part of its branch's output, so "
                "the two are not independent, as theory needs"
            )
        out = ideal.added(signal, branch, scale)
        row = self._row(path or type(block).__name__, out, linear=False)

        def back(power: Power) -> Power:
            row.dz_log = power.mean_log()
            return power.plus(through_branch(power * np.square(scale)))

        return out, back

    def _signal(self, state: State) -> Signal:
        if isinstance(state, Signal):
            return state
        return ideal.of_data(state.reshape(-1, state.shape[-1]), self._draw())

    def _pass_on(self, path: str, module: Any, state: State) -> Passed:
        return state if isinstance(state, Signal) else _run(module, module.forward, state), _nothing

    def _batch_norm(self, path: str, module: Any, state: State) -> Passed:
        of_batch = module.training or module.running_mean is None
        if of_batch and self._examples == 1:
            raise ArgumentError("one example has no variance over the batch; give x more of them")
        self._normalizes_batches |= of_batch
        if isinstance(state, Signal):
            return ideal.batch_norm(state, module)
        if not of_batch:
            return _run(module, module.forward, state), _nothing

        def of_this_batch(x: Tensor) -> Tensor:  # `forward` would move the running statistics
            return F.batch_norm(x, None, None, module.weight, module.bias, True, eps=module.eps)

        return _run(module, of_this_batch, state), _nothing

    def _normalization(self, path: str, module: Any, state: State) -> Passed:
        if not isinstance(state, Signal):
            return _run(module, module.forward, state), _nothing
        if isinstance(module, nn.RMSNorm):
            return ideal.rms_norm(state, module)
        if isinstance(module, nn.GroupNorm) and module.num_channels < 8 * module.num_groups:
            raise ArgumentError(
                f"its groups are of {module.num_channels // module.num_groups} units; theory is "
                "that of wide ones, here of at least 8"
            )
        return ideal.layer_norm(state, module)

    def _dropout(self, path: str, module: Any, state: State) -> Passed:
        return ideal.dropout(self._signal(state), module, self._draw())

    def _activation(self, path: str, module: Any, state: State) -> Passed:
        if dict(module.named_children()) or (
            list(module.parameters()) and not isinstance(module, nn.PReLU)
        ):
            raise ArgumentError(
                "theory has no rule for this module; it knows nn.Sequential and nn.Residual of "
                "Linear layers, elementwise activations, BatchNorm1d, LayerNorm, RMSNorm, "
                "GroupNorm and Dropout"
            )
        phi = function_of(module)
        if isinstance(state, Signal):
            return ideal.elementwise(state, phi)
        return _run(module, phi, state), _nothing


def _largest_stretch(weight: FLOAT) -> float:
    """The largest singular value, nearly, by the power method; at most that."""
    direction = np.random.default_rng(0).normal(size=weight.shape[1:])
    stretch = 0.0
    for _ in range(10):
        direction = direction / max(float(np.linalg.norm(direction)), 1e-300)
        stretched = weight @ direction
        stretch, direction = float(np.linalg.norm(stretched)), stretched @ weight
    return stretch


def _run(module: nn.Module, function: Callable[[Tensor], Tensor], data: FLOAT) -> FLOAT:
    """What a function gives on the batch itself, computed where its module lives."""
    own = [*module.parameters(), *module.buffers()]
    x = Tensor(data).to(own[0].device) if own else Tensor(data)
    with no_grad():
        return np.asarray(function(x).cpu().data, dtype=np.float64)


def _linears_in(module: nn.Module) -> int:
    """How many Linear layers there are; one that stands at two places counts twice."""
    own = type(module).forward is nn.Linear.forward
    return own + sum(_linears_in(child) for _, child in module._registered("module"))


# By what a module does when called, so that a subclass with a forward of its own is not taken
# for what it is not.
_RULES: dict[Any, Callable[[Walk, str, Any, State], Passed]] = {
    nn.Sequential.forward: Walk._sequential,
    nn.Residual.forward: Walk._residual,
    nn.Linear.forward: Walk._linear,
    nn.BatchNorm1d.forward: Walk._batch_norm,
    nn.LayerNorm.forward: Walk._normalization,
    nn.RMSNorm.forward: Walk._normalization,
    nn.GroupNorm.forward: Walk._normalization,
    nn.Dropout.forward: Walk._dropout,
    nn.AlphaDropout.forward: Walk._dropout,
    nn.Flatten.forward: Walk._pass_on,
    nn.Identity.forward: Walk._pass_on,
}
