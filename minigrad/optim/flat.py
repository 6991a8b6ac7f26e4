"""Many parameters updated as one: their values side by side in one flat array.

Updating fifty small layers one after the other costs mostly the calls. A `Bucket` moves the
values of its parameters into one buffer, of which each parameter then shows its part, and runs
the optimizer's rule over pieces of the buffer that fit into the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from minigrad.backend import Array
from minigrad.errors import ShapeError
from minigrad.tape import last_write, next_serial_number
from minigrad.tensor import Tensor

PIECE = 16384  # elements updated at a time: with its state about 300 kB in float32

# rule(values, gradient, step, *state, **settings) -> (new values, *new state)
Rule = Callable[..., tuple[Any, ...]]


@dataclass(slots=True)
class Piece:
    """A stretch of the buffer: several small parameters, or a part of a large one.

    Attributes:
        params: the parameters in it.
        within: which elements of them, laid side by side, it holds.
        values: its stretch of the buffer.
        state: its stretch of every array of the state; or a number, or None if not kept.
    """

    params: list[Tensor]
    within: slice
    values: Array
    state: list[Any]

    def gradient(self) -> Array:
        arrays = [p._grad._data for p in self.params]  # type: ignore[union-attr]
        if len(arrays) > 1:
            return self.params[0].device.xp.concatenate(arrays, axis=None)
        return arrays[0].reshape(-1)[self.within].reshape(self.values.shape)

    def update(self, rule: Rule, step: int, settings: Mapping[str, Any]) -> None:
        values, *state = rule(self.values, self.gradient(), step, *self.state, **settings)
        self.values[...] = values
        for k, (old, new) in enumerate(zip(self.state, state, strict=True)):
            if hasattr(old, "shape"):
                old[...] = new
            else:
                self.state[k] = new


class Bucket:
    """Parameters of one dtype, device and step count, with their optimizer's state.

    Arguments:
        params: the parameters.
        saved: per parameter what is known of its state: `step`, arrays of its shape, numbers.
        initial: per name in the state what it starts from; None: not kept.
        numbers: which of these names are one number, the same for all parameters of the bucket.
        whole: hand the rule one parameter at a time, in its shape, not pieces of the buffer.
    """

    def __init__(
        self,
        params: list[Tensor],
        saved: list[dict[str, Any]],
        initial: Mapping[str, float | None],
        numbers: Collection[str],
        whole: bool,
    ) -> None:
        xp = params[0].device.xp
        self.params = params
        self.device = params[0].device
        self.step: int = saved[0].get("step", 0)
        self.names = list(initial)
        ends = accumulate((p.size for p in params), initial=0)
        self.parts = [slice(a, b) for a, b in pairwise(ends)]
        self.values = xp.concatenate([p._data for p in params], axis=None)
        self.views = [self._view(self.values, k) for k in range(len(params))]
        self.arrays: dict[str, Array] = {}
        constant: dict[str, float | None] = {}
        for name, start in initial.items():
            if start is None or name in numbers:
                constant[name] = saved[0].get(name, start)
                continue
            arrays = [
                s[name] if name in s else xp.full_like(p._data, start)
                for p, s in zip(params, saved, strict=True)
            ]
            self.arrays[name] = xp.concatenate(arrays, axis=None)
        self.pieces = []
        for stretch, together, within in _cut(params, whole):
            shape = together[0].shape if whole else (-1,)
            cut = {name: a[stretch].reshape(shape) for name, a in self.arrays.items()} | constant
            self.pieces.append(
                Piece(
                    together,
                    within,
                    self.values[stretch].reshape(shape),
                    [cut[name] for name in initial],
                )
            )
        self.show()

    def _view(self, array: Array, k: int) -> Array:
        return array[self.parts[k]].reshape(self.params[k].shape)

    def show(self) -> None:
        """Let each parameter show its part; one that was assigned new data brings that along."""
        for p, view in zip(self.params, self.views, strict=True):
            if p._data is view:
                continue
            old = f"{view.dtype} of shape {view.shape} on {self.device.name}"
            new = f"{p.dtype} of shape {p.shape} on {p.device.name}"
            if old != new:
                raise ShapeError(
                    f"optimizer: a parameter's data changed from {old} to {new}; "
                    "make a new optimizer for it"
                )
            view[...] = p._data
            p._data = view

    def update(self, rule: Rule, settings: Mapping[str, Any]) -> None:
        """One step of `rule` for all parameters."""
        self.step += 1
        for piece in self.pieces:
            piece.update(rule, self.step, settings)
        for p in self.params:
            p._version[0] += 1
        last_write.serial = next_serial_number()

    def state_of(self, k: int) -> dict[str, Any]:
        """Copies of the state of the k-th parameter: `step`, arrays in its shape, numbers."""
        found: dict[str, Any] = {"step": self.step}
        for name, value in zip(self.names, self.pieces[0].state, strict=True):
            if name in self.arrays:
                found[name] = self._view(self.arrays[name], k).copy()
            elif value is not None:
                found[name] = value
        return found


def _cut(params: list[Tensor], whole: bool) -> list[tuple[slice, list[Tensor], slice]]:
    """Cut the buffer into pieces: several small parameters each, or a part of a large one.

    Returns:
        Per piece its place in the buffer, its parameters, and the part of them that it holds.
    """
    pieces: list[tuple[slice, list[Tensor], slice]] = []
    start = 0
    for together in [[p] for p in params] if whole else _packed(params):
        size = sum(p.size for p in together)
        length = max(size, 1) if whole else PIECE
        for a in range(0, max(size, 1), length):  # one piece also of empty parameters
            b = min(a + length, size)
            pieces.append((slice(start + a, start + b), together, slice(a, b)))
        start += size
    return pieces


def _packed(params: list[Tensor]) -> list[list[Tensor]]:
    """Neighbours put together as long as they fit into one piece."""
    packs: list[list[Tensor]] = []
    room = 0
    for p in params:
        if packs and p.size <= room:
            packs[-1].append(p)
        else:
            packs.append([p])
            room = PIECE
        room -= p.size
    return packs
