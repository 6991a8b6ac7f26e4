"""deep_rnn: recurrent layers on top of each other, and a Linear layer that reads the top one."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.models.names import check_name, fill, initialize
from minigrad.nn.init_networks import forkable
from minigrad.random import Generator
from minigrad.tape import no_grad
from minigrad.tensor import Tensor

CELLS = ("tanh", "relu", "lstm", "gru")


class RecurrentNet(nn.Module):
    """A recurrent layer stack `rnn`, read by `readout` after the last step, or after each.

    Called with a sequence of shape (n, time, in_features); returns (n, out_features), or with
    `each_step` (n, time, out_features).

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> net = mg.models.RecurrentNet(
    ...     nn.GRU(2, 8, batch_first=True), nn.Linear(8, 3), each_step=True
    ... )
    >>> net(mg.zeros(5, 30, 2)).shape
    (5, 30, 3)
    """

    def __init__(self, rnn: nn.Module, readout: nn.Module, each_step: bool) -> None:
        super().__init__()
        self.rnn, self.readout, self.each_step = rnn, readout, each_step

    def forward(self, input: Tensor) -> Tensor:
        outputs, _ = self.rnn(input)
        return self.readout(outputs if self.each_step else outputs[:, -1])  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return f"each_step={self.each_step}"


def deep_rnn(
    depth: int,
    width: int,
    cell: str = "tanh",
    init: str = "default",
    in_features: int = 1,
    out_features: int = 1,
    each_step: bool = False,
    generator: Generator | None = None,
    dtype: Any = np.float32,
    gain: float = 1.0,
    forget_bias: float | None = None,
) -> RecurrentNet:
    """A deep recurrent network: `depth` recurrent layers, then a Linear layer.

    Arguments:
        depth: number of recurrent layers, each reading the one below at the same step.
        width: size of their states.
        cell: "tanh" or "relu" (`nn.RNN`), "lstm" or "gru".
        init: of the matrices from state to state, one per gate: "default", uniform in
            +-1/sqrt(width) like everything else; "identity" (Le, Jaitly & Hinton 2015), or a
            name in `models.INITS` such as "orthogonal".
        in_features, out_features: sizes of a step of the input and of the output.
        each_step: give an output after every step, not only after the last?
        generator: source of the random numbers, by name of the part as in `deep_mlp`.
        dtype: floating-point dtype of the parameters.
        gain: a factor on the initial matrices from state to state: "orthogonal" with gain s makes
            all their singular values s.
        forget_bias: sets the bias of the LSTM's forget gates; 1 lets the cell last at first
            (Jozefowicz, Zaremba & Sutskever 2015).

    Returns:
        A `RecurrentNet` with the parts `rnn` and `readout`, from (n, time, in_features) to
        (n, out_features).

    Raises:
        ArgumentError: an unknown name, a size below 1, or a forget_bias without forget gates.

    >>> import minigrad as mg
    >>> net = mg.models.deep_rnn(2, 16, "lstm", in_features=2, forget_bias=1.0)
    >>> x, y = mg.data.adding_problem(5, length=30)
    >>> net(mg.tensor(x)).shape
    (5, 1)
    """
    check_name("deep_rnn", "cell", cell, CELLS)
    if init != "identity":
        fill("deep_rnn", init)
    if forget_bias is not None and cell != "lstm":
        raise ArgumentError(
            f"deep_rnn: forget_bias is for cell='lstm'; {cell!r} has no forget gates"
        )
    generator = forkable(generator)
    common = {"num_layers": depth, "batch_first": True, "dtype": dtype,
              "generator": generator.fork("rnn")}  # fmt: skip
    rnn: Any
    if cell in ("tanh", "relu"):
        rnn = nn.RNN(in_features, width, nonlinearity=cell, **common)
    else:
        rnn = (nn.LSTM if cell == "lstm" else nn.GRU)(in_features, width, **common)
    for layer in range(depth):
        matrix = getattr(rnn, f"weight_hh_l{layer}")
        _fill_gates(matrix, init, gain, generator.fork(f"rnn.weight_hh_l{layer}"))
        if forget_bias is not None:
            forget = slice(width, 2 * width)
            getattr(rnn, f"bias_ih_l{layer}").data[forget] = forget_bias
            getattr(rnn, f"bias_hh_l{layer}").data[forget] = 0
    readout = nn.Linear(width, out_features, generator=generator.fork("readout"), dtype=dtype)
    return RecurrentNet(rnn, readout, each_step)


def _fill_gates(matrix: Tensor, init: str, gain: float, generator: Generator) -> None:
    """Initialize the square block of each gate by itself."""
    width = matrix.shape[1]
    with no_grad():
        for start in range(0, len(matrix), width):
            gate = matrix[start : start + width]
            if init == "identity":
                nn.init.eye_(gate)
                gate *= gain
            else:
                initialize("deep_rnn", gate, init, gain, generator)
