"""One step of a recurrent network: the formulas, and the cells that hold their weights.

A step is a function of the input x of shape (n, input_size), the state and the weights

    w_ih (k * hidden_size, input_size)    b_ih (k * hidden_size,)
    w_hh (k * hidden_size, hidden_size)   b_hh (k * hidden_size,)

with k = 1, 4 (LSTM) or 3 (GRU) blocks of rows, one per gate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from minigrad import ops
from minigrad.backend import Device
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.nn import init
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops import linear, sigmoid, tanh
from minigrad.ops.rectifiers import relu
from minigrad.random import Generator
from minigrad.tensor import Tensor, wrap

State = tuple[Tensor, ...]  # (h,), or of an LSTM (h, c)
Step = Callable[[Tensor, State, "Weights"], State]


class Weights(NamedTuple):
    """What one step of one layer and direction uses."""

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None


# -- the formulas ------------------------------------------------------------------------------


def rnn_tanh_step(x: Tensor, state: State, w: Weights) -> State:
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh). Source: Elman (1990)."""
    (h,) = state
    return (tanh(linear(x, w.w_ih, w.b_ih) + linear(h, w.w_hh, w.b_hh)),)


def rnn_relu_step(x: Tensor, state: State, w: Weights) -> State:
    """h' = relu(W_ih x + b_ih + W_hh h + b_hh). Source: Le, Jaitly & Hinton (2015)."""
    (h,) = state
    return (relu(linear(x, w.w_ih, w.b_ih) + linear(h, w.w_hh, w.b_hh)),)


def lstm_step(x: Tensor, state: State, w: Weights) -> tuple[Tensor, Tensor]:
    """Long short-term memory: the cell c is passed on by a sum, not by a matrix.

        i = sigmoid(W_i x + U_i h + b_i)    how much of the new goes in
        f = sigmoid(W_f x + U_f h + b_f)    how much of the old stays
        g = tanh(W_g x + U_g h + b_g)       the new
        o = sigmoid(W_o x + U_o h + b_o)    how much is shown
        c' = f c + i g,   h' = o tanh(c')

    Source: Hochreiter & Schmidhuber (1997), with the forget gate of Gers et al. (2000). The rows
    of W = w_ih and U = w_hh, and the two biases that add up to b, hold the gates in the order
    i, f, g, o.
    """
    h, c = state
    gates = linear(x, w.w_ih, w.b_ih) + linear(h, w.w_hh, w.b_hh)
    i, f, g, o = ops.split(gates, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru_step(x: Tensor, state: State, w: Weights) -> State:
    """Gated recurrent unit: one gate decides between the old state and the new.

        r = sigmoid(W_r x + b_r + U_r h + d_r)    how much of the old the new looks at
        z = sigmoid(W_z x + b_z + U_z h + d_z)    how much of the old stays
        n = tanh(W_n x + b_n + r (U_n h + d_n))   the new
        h' = (1 - z) n + z h

    Source: Cho et al. (2014), with r after the product, as in PyTorch. The rows of W = w_ih,
    U = w_hh, b = b_ih and d = b_hh hold the gates in the order r, z, n.
    """
    (h,) = state
    x_r, x_z, x_n = ops.split(linear(x, w.w_ih, w.b_ih), 3, axis=-1)
    h_r, h_z, h_n = ops.split(linear(h, w.w_hh, w.b_hh), 3, axis=-1)
    z = sigmoid(x_z + h_z)
    n = tanh(x_n + sigmoid(x_r + h_r) * h_n)
    return ((1 - z) * n + z * h,)


RNN_STEPS: dict[str, Step] = {"tanh": rnn_tanh_step, "relu": rnn_relu_step}


def rnn_step_of(owner: str, nonlinearity: str) -> Step:
    """The step of a plain recurrent layer.

    Raises:
        ArgumentError: an unknown nonlinearity.
    """
    if nonlinearity not in RNN_STEPS:
        raise ArgumentError(
            f"{owner}: unknown nonlinearity {nonlinearity!r}; use one of {', '.join(RNN_STEPS)}"
        )
    return RNN_STEPS[nonlinearity]


# -- what cells and layers share ---------------------------------------------------------------


def register_weights(
    owner: Module, suffix: str, gates: int, sizes: tuple[int, int], bias: bool, **place: Any
) -> None:
    """Give `owner` the four parameters of one step, in PyTorch's order and under its names."""
    input_size, hidden_size = sizes
    rows = gates * hidden_size
    for name, columns in (("weight_ih", input_size), ("weight_hh", hidden_size)):
        owner.register_parameter(name + suffix, Parameter(ops.zeros(rows, columns, **place)))
    for name in ("bias_ih", "bias_hh"):
        values = Parameter(ops.zeros(rows, **place)) if bias else None
        owner.register_parameter(name + suffix, values)


def weights_of(owner: Module, suffix: str) -> Weights:
    """The four parameters that `register_weights` gave."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return Weights(*(getattr(owner, name + suffix) for name in names))


def draw_weights(owner: Module, hidden_size: int, generator: Generator | None) -> None:
    """All parameters uniform in +-1/sqrt(hidden_size), as in PyTorch."""
    bound = 1 / math.sqrt(hidden_size)
    for parameter in owner.parameters():
        init.uniform_(parameter, -bound, bound, generator)


def check_input(owner: str, x: Tensor, input_size: int, valid: dict[int, str]) -> None:
    """Raise a ShapeError for an input whose axes are not among `valid` (number to words)."""
    if x.ndim not in valid or x.shape[-1] != input_size:
        raise ShapeError(
            f"{owner}: input has shape {x.shape}; it takes {' or '.join(valid.values())}, "
            f"with input_size {input_size}"
        )


def checked_state(owner: str, state: Any, names: str, shape: tuple[int, ...], x: Tensor) -> State:
    """The state as a tuple of tensors of `shape`; zeros where none was given.

    Raises:
        DtypeError: not one tensor, or not the pair that an LSTM has.
        ShapeError: another shape.
    """
    if state is None:
        zeros = wrap(x.device.xp.zeros(shape, x.dtype), x.device)
        return (zeros,) * len(names.split(", "))
    parts = (state,) if isinstance(state, Tensor) else state
    if not isinstance(parts, tuple | list) or len(parts) != len(names.split(", ")):
        raise DtypeError(
            f"{owner}: the state must be ({names}) as the layer returns it, "
            f"got {type(state).__name__}"
        )
    for part in parts:
        if part.shape != shape:
            raise ShapeError(
                f"{owner}: the state has shape {part.shape}, but an input of shape {x.shape} "
                f"takes one of shape {shape}"
            )
    return tuple(parts)


# -- the cells ---------------------------------------------------------------------------------


class _Cell(Module):
    gates: ClassVar[int] = 1
    state_names: ClassVar[str] = "h"

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = check_count(name, "input_size", input_size)
        self.hidden_size = check_count(name, "hidden_size", hidden_size)
        self.bias = bias
        sizes = self.input_size, self.hidden_size
        register_weights(self, "", self.gates, sizes, bias, **placement(device, dtype))
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all parameters anew."""
        draw_weights(self, self.hidden_size, generator)

    def _start(self, x: Tensor, state: Any) -> State:
        name = type(self).__name__
        check_input(name, x, self.input_size, {1: "(input_size,)", 2: "(n, input_size)"})
        shape = (*x.shape[:-1], self.hidden_size)
        return checked_state(name, state, self.state_names, shape, x)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """One step h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu.

    Arguments:
        input_size, hidden_size: sizes of x and of h.
        bias: add the two b?
        nonlinearity: "tanh" or "relu".
        device, dtype: of the parameters; by default the CPU and float32.
        generator: where the initial values come from; by default the one that
            `mg.manual_seed` seeds.

    Called with x of shape (n, input_size) or (input_size,) and h of (n, hidden_size) or
    (hidden_size,), by default 0; returns h', like h. To truncate the gradient through time, pass
    on `h.detach()`.

    Attributes:
        weight_ih, weight_hh: (hidden_size, input_size) and (hidden_size, hidden_size).
        bias_ih, bias_hh: (hidden_size,), or None. All start uniform in +-1/sqrt(hidden_size).

    Raises:
        ArgumentError: a size below 1, or an unknown nonlinearity.
        ShapeError: when called, shapes that do not fit.

    Source: Elman (1990), Finding structure in time.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> cell, h = nn.RNNCell(3, 5), None
    >>> for x in mg.ones(7, 2, 3):  # seven steps of two sequences
    ...     h = cell(x, h)
    >>> h.shape
    (2, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: str | Device | None = None,
        dtype: Any = None,
        generator: Generator | None = None,
    ) -> None:
        rnn_step_of("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype, generator)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        step = rnn_step_of("RNNCell", self.nonlinearity)
        (h,) = step(input, self._start(input, hx), weights_of(self, ""))
        return h

    def extra_repr(self) -> str:
        shown = super().extra_repr()
        plain = self.nonlinearity == "tanh"
        return shown if plain else f"{shown}, nonlinearity={self.nonlinearity}"


class LSTMCell(_Cell):
    """One step of a long short-term memory; the formulas stand in `recurrent_cells.lstm_step`.

    Arguments as for `RNNCell`, without `nonlinearity`.

    Called with x and the state (h, c), by default 0; returns (h', c'). The rows of the weights
    hold the gates in the order i, f, g, o, so the biases of the forget gate are
    `bias_ih[hidden_size:2 * hidden_size]` and the same of `bias_hh`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> h, c = nn.LSTMCell(3, 5)(mg.ones(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    gates = 4
    state_names = "h, c"

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        return lstm_step(input, self._start(input, hx), weights_of(self, ""))


class GRUCell(_Cell):
    """One step of a gated recurrent unit; the formulas stand in `recurrent_cells.gru_step`.

    Arguments as for `RNNCell`, without `nonlinearity`. Called with x and h; returns h'.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.GRUCell(3, 5)(mg.ones(2, 3)).shape
    (2, 5)
    """

    gates = 3

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = gru_step(input, self._start(input, hx), weights_of(self, ""))
        return h
