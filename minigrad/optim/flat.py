"""Many parameters updated as one: laid side by side in one flat buffer.

Updating fifty small layers one after the other costs mostly the calls. A `Bucket` lays values and
gradients of its parameters side by side, runs the optimizer's rule over pieces that fit into the
processor's cache, and puts the new values back. The state stays in the buffer; a parameter keeps
its own memory, which views of it and the `state_dict` of a module go on sharing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import accumulate, pairwise
from operator import is_
from typing import Any

import numpy as np

from minigrad.backend import CPU, Array
from minigrad.errors import ArgumentError, ShapeError
from minigrad.tape import last_write, next_serial_number
from minigrad.tensor import Tensor

# Elements updated at a time. With fewer, calls cost more than arithmetic; with many more, values,
# gradient and state (4 x 128 kB in float32) leave the processor's second cache between two lines
# of the rule.
PIECE = 32768
SMALL = 8192  # from here on, laying parameters side by side costs more than it saves

# rule(values, gradient, step, *state, **settings) -> (new values, *new state)
Rule = Callable[..., tuple[Any, ...]]
Flat = tuple[Array, Array]  # values and gradient of a parameter, as vectors


class Piece:
    """What the rule is called with: several small parameters, or a part of a large one.

    Arguments:
        params: the parameters in it.
        within: which elements of them, laid side by side, it holds.
        shape: the shape in which the rule gets them.
        state: its stretch of every array of the state; or a number, or None if not kept.
    """

    def __init__(
        self, params: list[Tensor], within: slice, shape: tuple[int, ...], state: list[Any]
    ) -> None:
        self.params = params
        self.within = within
        self.shape = shape
        self.state = state
        # Where several parameters lie side by side during a step: to keep the views of each costs
        # less than to cut anew every time.
        several = params if len(params) > 1 else []
        self.values = params[0].device.xp.empty(sum(p.size for p in several), params[0].dtype)
        cuts = pairwise(accumulate((p.size for p in several), initial=0))
        self.parts = [
            self.values[a:b].reshape(p.shape) for (a, b), p in zip(cuts, several, strict=True)
        ]

    def update(
        self, rule: Rule, step: int, settings: Mapping[str, Any], flat: Mapping[Tensor, Flat]
    ) -> None:
        if len(self.params) > 1:
            self._update_several(rule, step, settings)
            return
        values, gradient = (x[self.within].reshape(self.shape) for x in flat[self.params[0]])
        self._run(rule, values, gradient, step, settings)

    def _update_several(self, rule: Rule, step: int, settings: Mapping[str, Any]) -> None:
        xp = self.params[0].device.xp
        xp.concatenate([p._data for p in self.params], axis=None, out=self.values)
        gradient = xp.concatenate([p._grad._data for p in self.params], axis=None)  # type: ignore[union-attr]
        self._run(rule, self.values, gradient, step, settings)
        for p, part in zip(self.params, self.parts):  # noqa: B905
            p._data[...] = part

    def _run(
        self, rule: Rule, values: Array, gradient: Array, step: int, settings: Mapping[str, Any]
    ) -> None:
        """Values and state as the rule says, whether it wrote into them or returns new arrays."""
        new, *state = rule(values, gradient, step, *self.state, **settings)
        if new is not values:
            values[...] = new
        for k, (old, value) in enumerate(zip(self.state, state, strict=True)):
            if value is old:
                continue
            if hasattr(old, "shape"):
                old[...] = value
            else:
                self.state[k] = value


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
        self.kinds = [(p.shape, p.dtype, p.device) for p in params]
        self.seen: list[Array] = []  # the arrays that `check` found good
        self.step: int = saved[0].get("step", 0)
        self.names = list(initial)
        ends = accumulate((p.size for p in params), initial=0)
        self.parts = [slice(a, b) for a, b in pairwise(ends)]
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
            self.pieces.append(Piece(together, within, shape, [cut[name] for name in initial]))
        self.check()

    def check(self) -> None:
        """Raise if a parameter is no longer what its state was made for."""
        arrays = [p._data for p in self.params]
        if len(self.seen) == len(arrays) and all(map(is_, arrays, self.seen)):
            return
        for p, (shape, dtype, device) in zip(self.params, self.kinds, strict=True):
            data = p._data
            if data.shape != shape or data.dtype != dtype or p.device is not device:
                raise ShapeError(
                    f"optimizer: a parameter's data changed from {dtype} of shape {shape} on "
                    f"{device.name} to {data.dtype} of shape {data.shape} on {p.device.name}; make "
                    "a new optimizer for it"
                )
        for piece in self.pieces:
            _check_apart(piece.params)
        self.seen = arrays

    def update(self, rule: Rule, settings: Mapping[str, Any]) -> None:
        """One step of `rule` for all parameters."""
        alone = dict.fromkeys(p.params[0] for p in self.pieces if len(p.params) == 1)
        # Where memory is not in order, this copies: once, not for every piece.
        flat = {p: (p._data.reshape(-1), p._grad._data.reshape(-1)) for p in alone}  # type: ignore[union-attr]
        try:
            for piece in self.pieces:
                piece.update(rule, self.step + 1, settings, flat)
        finally:  # an error, or Ctrl-C, may come when some have moved already
            for p, (values, _) in flat.items():
                if not p._data.flags.c_contiguous:
                    p._data[...] = values.reshape(p.shape)
            for p in self.params:
                p._version[0] += 1
            last_write.serial = next_serial_number()
        self.step += 1

    def state_of(self, k: int) -> dict[str, Any]:
        """Copies of the state of the k-th parameter: `step`, arrays in its shape, numbers."""
        found: dict[str, Any] = {"step": self.step}
        for name, value in zip(self.names, self.pieces[0].state, strict=True):
            if name in self.arrays:
                shape = self.kinds[k][0]
                found[name] = self.arrays[name][self.parts[k]].reshape(shape).copy()
            elif value is not None:
                found[name] = value
        return found


def _check_apart(params: list[Tensor]) -> None:
    """Raise if two parameters that are updated together lie in the same memory."""
    if len(params) < 2 or params[0].device is not CPU:
        return
    bounds = np.lib.array_utils.byte_bounds
    placed = sorted(((*bounds(p._data), k) for k, p in enumerate(params) if p.size))
    for (_, end, i), (start, _, k) in pairwise(placed):
        p, q = params[i], params[k]
        if start < end and np.shares_memory(p._data, q._data):
            raise ArgumentError(
                f"optimizer: two parameters, of shapes {p.shape} and {q.shape}, lie in the same "
                "memory, where one update would overwrite the other; pass one of them"
            )


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
    """Small neighbours put together as long as they fit into one piece."""
    packs: list[list[Tensor]] = []
    room = 0
    for p in params:
        if p.size > SMALL:
            packs.append([p])
            room = 0
        elif packs and p.size <= room:
            packs[-1].append(p)
            room -= p.size
        else:
            packs.append([p])
            room = PIECE - p.size
    return packs
