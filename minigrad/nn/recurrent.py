"""Recurrent layers: the same step at every time, in several layers and both directions."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, ClassVar

from minigrad import ops
from minigrad.backend import Device
from minigrad.errors import ShapeError
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.dropout import check_probability, dropout
from minigrad.nn.module import Module
from minigrad.nn.recurrent_cells import (
    State,
    Step,
    Weights,
    check_input,
    checked_state,
    draw_weights,
    gru_step,
    lstm_step,
    register_weights,
    rnn_step_of,
    weights_of,
)
from minigrad.random import Generator
from minigrad.tensor import Tensor


def run(
    step: Step, inputs: list[Tensor], state: State, weights: Weights
) -> tuple[list[Tensor], State]:
    """A step after the other: the h of every time, and the last state."""
    outputs = []
    for x in inputs:
        state = step(x, state, weights)
        outputs.append(state[0])
    return outputs, state


class _Recurrent(Module):
    gates: ClassVar[int] = 1
    state_names: ClassVar[str] = "h"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: str | Device | None = None,
        dtype: Any = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = check_count(name, "input_size", input_size)
        self.hidden_size = check_count(name, "hidden_size", hidden_size)
        self.num_layers = check_count(name, "num_layers", num_layers)
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = check_probability(name, dropout)
        self.generator = generator
        if dropout and num_layers == 1:
            warnings.warn(
                f"{name}: dropout acts between layers, so dropout={dropout} does nothing with "
                "num_layers=1; apply nn.Dropout to the output",
                stacklevel=3,
            )
        self._directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            below = hidden_size * len(self._directions) if layer else input_size
            for direction in self._directions:
                sizes = below, hidden_size
                suffix = f"_l{layer}{direction}"
                register_weights(self, suffix, self.gates, sizes, bias, **placement(device, dtype))
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all parameters anew."""
        draw_weights(self, self.hidden_size, generator)

    def _step(self, x: Tensor, state: State, weights: Weights) -> State:
        raise NotImplementedError

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        x, state = self._start(input, hx)
        inputs: list[Tensor] = list(x)
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer:
                drop = partial(dropout, p=self.dropout, training=self.training)
                inputs = [drop(x, generator=self.generator) for x in inputs]
            inputs = self._layer(layer, inputs, state, last)
        final = [ops.stack(parts) for parts in zip(*last, strict=True)]
        return self._finish(ops.stack(inputs), final, input.ndim == 2)

    def _layer(
        self, layer: int, inputs: list[Tensor], state: State, last: list[State]
    ) -> list[Tensor]:
        """The h of every time; of two directions, side by side."""
        both = []
        for direction in self._directions:
            first = tuple(part[len(last)] for part in state)
            weights = weights_of(self, f"_l{layer}{direction}")
            in_order = inputs[::-1] if direction else inputs
            outputs, end = run(self._step, in_order, first, weights)
            both.append(outputs[::-1] if direction else outputs)
            last.append(end)
        if len(both) == 1:
            return both[0]
        return [ops.concatenate(pair, axis=-1) for pair in zip(*both, strict=True)]

    def _start(self, x: Tensor, hx: Any) -> tuple[Tensor, State]:
        """Input and state as (time, n, ...) and (layers * directions, n, hidden_size)."""
        name = type(self).__name__
        batch = "(n, time, input_size)" if self.batch_first else "(time, n, input_size)"
        check_input(name, x, self.input_size, {2: "(time, input_size)", 3: batch})
        many = ops.swapaxes(x, 0, 1) if self.batch_first and x.ndim == 3 else x
        if len(many) == 0:
            raise ShapeError(f"{name}: input of shape {x.shape} is a sequence of no steps")
        rows = self.num_layers * len(self._directions)
        shape = (rows, *many.shape[1:-1], self.hidden_size)
        state = checked_state(name, hx, self.state_names, shape, x)
        return many, state

    def _finish(self, output: Tensor, final: list[Tensor], alone: bool) -> tuple[Tensor, Any]:
        if self.batch_first and not alone:
            output = ops.swapaxes(output, 0, 1)
        return output, final[0] if len(final) == 1 else tuple(final)

    def extra_repr(self) -> str:
        options = {
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0),
            "bidirectional": (self.bidirectional, False),
        }
        shown = [f"{name}={value}" for name, (value, usual) in options.items() if value != usual]
        return ", ".join([str(self.input_size), str(self.hidden_size), *shown])


class RNN(_Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh) at every time t, or with relu.

    The gradient passes W_hh once per step, so over T steps it is multiplied by about the T-th
    power of its largest singular value.

    Arguments:
        input_size, hidden_size: sizes of x_t and of h_t.
        num_layers: each further layer reads the h of the layer below.
        nonlinearity: "tanh" or "relu".
        bias: add the two b?
        batch_first: the sequences come as (n, time, ...)? Else as (time, n, ...). The state is
            (layers, n, hidden_size) in both.
        dropout: probability of leaving out a number between two layers, in training.
        bidirectional: a second set of weights reads the sequence from its end; its h stand
            beside those of the first.
        device, dtype: of the parameters; by default the CPU and float32.
        generator: where initial values and dropout come from; by default the generator that
            `mg.manual_seed` seeds.

    Called with a sequence (time, n, input_size), or (time, input_size) of a single example, and
    the state h of (num_layers * directions, n, hidden_size), by default 0. Returns the h of the
    last layer at every time, (time, n, directions * hidden_size), and the last state of every
    layer. To truncate the gradient through time, pass on `h.detach()`.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0: as in `RNNCell`; then those of `_l1`
            and so on, and of the other direction with `_reverse`.

    Raises:
        ArgumentError: a size below 1, an unknown nonlinearity, or a dropout outside of 0 to 1.
        ShapeError: when called, shapes that do not fit, or a sequence of no steps.

    Source: Elman (1990); Schuster & Paliwal (1997) for two directions.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> rnn = nn.RNN(3, 5, num_layers=2)
    >>> output, h = rnn(mg.ones(7, 4, 3))
    >>> output.shape, h.shape
    ((7, 4, 5), (2, 4, 5))
    >>> output, h = rnn(mg.ones(7, 4, 3), h.detach())  # the next seven steps
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: str | Device | None = None,
        dtype: Any = None,
        generator: Generator | None = None,
    ) -> None:
        rnn_step_of("RNN", nonlinearity)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device, dtype, generator,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def _step(self, x: Tensor, state: State, weights: Weights) -> State:
        return rnn_step_of("RNN", self.nonlinearity)(x, state, weights)


class LSTM(_Recurrent):
    """Long short-term memory over a sequence; the formulas stand in `recurrent_cells.lstm_step`.

    Arguments and shapes as for `RNN`, without `nonlinearity`. The state is a pair (h, c):

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> output, (h, c) = nn.LSTM(3, 5, bidirectional=True)(mg.ones(7, 4, 3))
    >>> output.shape, c.shape
    ((7, 4, 10), (2, 4, 5))
    """

    gates = 4
    state_names = "h, c"

    def _step(self, x: Tensor, state: State, weights: Weights) -> State:
        return lstm_step(x, state, weights)


class GRU(_Recurrent):
    """Gated recurrent units over a sequence; the formulas stand in `recurrent_cells.gru_step`.

    Arguments and shapes as for `RNN`, without `nonlinearity`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> output, h = nn.GRU(3, 5)(mg.ones(7, 4, 3))
    >>> output.shape, h.shape
    ((7, 4, 5), (1, 4, 5))
    """

    gates = 3

    def _step(self, x: Tensor, state: State, weights: Weights) -> State:
        return gru_step(x, state, weights)
