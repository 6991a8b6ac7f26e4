"""Many parameters updated as one: their values side by side in one flat array.

Updating fifty small layers one after the other costs mostly the calls. A `Bucket` moves the
values of its parameters into one buffer, of which each parameter then shows its part, and runs
the optimizer's rule over pieces of the buffer that fit into the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minigrad.backend import Array
from minigrad.errors import ShapeError
from minigrad.tape import last_write, next_serial_number
from minigrad.tensor import Tensor

PIECE = 16384  # elements updated at a time: with its state about 300 kB in float32

# (values, gradient, state arrays) -> (new values, new state arrays), all flat, of one size
Update = Callable[[Array, Array, tuple[Array, ...]], tuple[Array, tuple[Array, ...]]]


class Bucket:
    """Parameters of one dtype, device and step count, with their optimizer's state.

    Arguments:
        params: the parameters.
        state: per name of the optimizer's state, one array per parameter, of its shape.
        step: how many updates they have had.
    """

    def __init__(self, params: list[Tensor], state: dict[str, list[Array]], step: int) -> None:
        xp = params[0].device.xp
        self.params = params
        self.step = step
        self.values = xp.concatenate([p.data for p in params], axis=None)
        self.state = {name: xp.concatenate(arrays, axis=None) for name, arrays in state.items()}
        self.parts: list[slice] = []
        start = 0
        for p in params:
            self.parts.append(slice(start, start + p.size))
            start += p.size
        self.views = [
            self.values[part].reshape(p.shape) for p, part in zip(params, self.parts, strict=True)
        ]
        self.pieces = _pieces(params)
        self._show()

    def _show(self) -> None:
        """Let each parameter show its part; one that was assigned new data brings that along."""
        for p, view in zip(self.params, self.views, strict=True):
            if p._data is view:
                continue
            if p._data.shape != view.shape:
                raise ShapeError(
                    f"optimizer: a parameter's data changed its shape from {view.shape} to "
                    f"{p._data.shape}; make a new optimizer for it"
                )
            view[...] = p._data
            p._data = view

    def update(self, rule: Update) -> None:
        """One step of `rule` for all parameters."""
        self._show()
        self.step += 1
        state = list(self.state.values())
        for piece, params, within in self.pieces:
            old = tuple(array[piece] for array in state)
            self.values[piece], new = rule(self.values[piece], _gradient(params, within), old)
            for array, value in zip(old, new, strict=True):
                array[...] = value
        for p in self.params:
            p._version[0] += 1
        last_write.serial = next_serial_number()

    def state_of(self, k: int) -> dict[str, Array]:
        """Copies of the state of the k-th parameter, in its shape."""
        part, shape = self.parts[k], self.params[k].shape
        return {name: array[part].reshape(shape).copy() for name, array in self.state.items()}


def _pieces(params: Sequence[Tensor]) -> list[tuple[slice, list[Tensor], slice]]:
    """Cut the buffer into pieces: several small parameters each, or a part of a large one.

    Returns:
        Per piece its place in the buffer, its parameters, and the part of them that it holds.
    """
    pieces: list[tuple[slice, list[Tensor], slice]] = []
    together: list[Tensor] = []
    start = size = 0

    def close() -> None:
        nonlocal start, together, size
        for a in range(0, size, PIECE):
            b = min(a + PIECE, size)
            pieces.append((slice(start + a, start + b), together, slice(a, b)))
        start, together, size = start + size, [], 0

    for p in params:
        if size + p.size > PIECE:
            close()
        together.append(p)
        size += p.size
    close()
    return pieces


def _gradient(params: list[Tensor], within: slice) -> Array:
    if len(params) == 1:
        return params[0]._grad._data.reshape(-1)[within]  # type: ignore[union-attr]
    arrays = [p._grad._data for p in params]  # type: ignore[union-attr]
    return params[0].device.xp.concatenate(arrays, axis=None)
