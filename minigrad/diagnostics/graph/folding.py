"""Folding: a stretch of steps that repeats, such as the layers of a deep network, becomes one.

Steps lie in the order in which they ran, so a block that runs k times in a row leaves k equal
stretches side by side. Stretches are equal when their operations, shapes and wiring are: an input
lies as many steps back as in the stretch before, or is the same tensor, or is a leaf of the same
shape. Folding goes on until nothing repeats, so a block may hold blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.graph.reading import ABSENT, Step, Tape, leaf_input

FEWEST = 3  # repetitions that are worth a fold,
LEAST_SAVED = 4  # if it makes at least so many steps fewer
LONGEST = 256  # steps in a block
MOST_INPUTS = 8  # of a step in a block: `concatenate` may take thousands

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """From step `start` up to (without) `stop` the steps repeat after `period` of them."""

    start: int
    stop: int
    period: int

    @property
    def times(self) -> int:
        return (self.stop - self.start) // self.period

    @property
    def end(self) -> int:
        """Where the last complete repetition ends."""
        return self.start + self.period * self.times

    @property
    def saves(self) -> int:
        return (self.times - 1) * self.period

    def is_worth_it(self) -> bool:
        return self.times >= FEWEST and self.saves >= LEAST_SAVED


def fold(tape: Tape) -> Tape:
    """The tape with every repetition in one step."""
    while runs := list(_runs(tape)):
        tape = _folded(tape, runs)
    return tape


# -- finding ---------------------------------------------------------------------------------


def _runs(tape: Tape) -> Iterator[Run]:
    """The runs of the period that saves most."""
    kinds, inputs = _kinds(tape), _inputs(tape.steps)
    best: list[Run] = []
    shorter: list[Run] = []
    saved = 0
    for period in range(1, min(LONGEST, len(kinds) // FEWEST) + 1):
        if saved >= len(kinds) - period:  # no longer period can save more
            break
        runs = [r for r in _stretches(kinds, inputs, period) if not _is_multiple(r, shorter)]
        shorter += runs
        saves = sum(run.saves for run in runs)
        if saves > saved:
            best, saved = runs, saves
    crossing = _crossing(inputs)
    taken = 0
    for run in best:
        run = _with_first(_in_phase(run, inputs, crossing), tape, inputs, taken)
        yield from _with_fitting_leaves(inputs, run)
        taken = run.end


def _is_multiple(run: Run, shorter: list[Run]) -> bool:
    """Whether the run repeats a block that itself consists of repetitions."""
    return any(
        run.period % r.period == 0 and r.start <= run.start and run.end <= r.stop for r in shorter
    )


def _kinds(tape: Tape) -> Ints:
    """A number per step, equal for two steps that do the same to inputs of the same kinds."""
    numbers: dict[object, int] = {}
    kinds = []
    for i, step in enumerate(tape.steps):
        what: object = i  # like no other
        if len(step.inputs) <= MOST_INPUTS:
            what = (*_does(step), tuple(_kind(s, tape) for s in step.inputs))
        kinds.append(numbers.setdefault(what, len(numbers)))
    return np.array(kinds)


def _does(step: Step) -> tuple[object, ...]:
    return step.titles, step.shape, step.times


def _kind(source: int, tape: Tape) -> object:
    if source >= 0:
        return "step"
    return "absent" if source == ABSENT else tape.leaves[leaf_input(source)].shape


def _inputs(steps: list[Step]) -> Ints:
    """(steps, inputs): where each input comes from; ABSENT beyond the last one."""
    arity = max((len(s.inputs) for s in steps if len(s.inputs) <= MOST_INPUTS), default=1)
    found = np.full((len(steps), arity), ABSENT)
    for row, step in zip(found, steps, strict=True):
        row[: len(step.inputs)] = step.inputs[:arity]
    return found


def _stretches(kinds: Ints, inputs: Ints, period: int) -> list[Run]:
    """Where steps equal those `period` later for so long that it makes a run."""
    same = kinds[:-period] == kinds[period:]
    if not same.any():
        return []
    before, after = inputs[:-period], inputs[period:]
    same &= ((before < 0) | (after - before == period) | (after == before)).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.view(np.int8), [0]])))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    runs = [Run(start, stop + period, period) for start, stop in pairs]
    return [run for run in runs if run.is_worth_it()]


def _crossing(inputs: Ints) -> Ints:
    """Per step, how many outputs of the steps before it are still to be used, by it or later."""
    last_use = np.arange(len(inputs))
    for column in inputs.T:
        used = column >= 0
        np.maximum.at(last_use, column[used], np.flatnonzero(used))
    change = np.zeros(len(inputs) + 1, dtype=np.int64)
    np.add.at(change, np.arange(len(inputs)) + 1, 1)
    np.add.at(change, last_use + 1, -1)
    return np.cumsum(change)[:-1]


def _in_phase(run: Run, inputs: Ints, crossing: Ints) -> Run:
    """The run, begun where a reader would begin a block.

    That is where the fewest values go from one block to the next (so not within a residual
    branch), and where a weight comes in, a leaf or what was made of one before the run: "linear,
    tanh", not "tanh, linear".
    """

    def cost(shift: int) -> tuple[int, bool, int]:
        start = run.start + run.period + shift  # in the second block, where nothing is special
        sources = inputs[start]
        from_outside = (sources != ABSENT) & (sources < run.start)
        return int(crossing[start]), not from_outside.any(), shift

    shifted = replace(run, start=run.start + min(range(run.period), key=cost))
    return shifted if shifted.is_worth_it() else run


def _with_first(run: Run, tape: Tape, inputs: Ints, taken: int) -> Run:
    """The run with the block before it, if that differs only in where its input comes from.

    What the others get from the block before them, the first gets from elsewhere: a layer from
    the data, a recurrent step from the initial state.

    Arguments:
        taken: the first step that no run before this one holds.
    """
    first = run.start - run.period
    if first < taken:
        return run
    for i in range(first, run.start):
        if _does(tape.steps[i]) != _does(tape.steps[i + run.period]):
            return run
        for a, b in zip(inputs[i], inputs[i + run.period], strict=True):
            if first <= b < run.start or (b >= 0 and b - a == run.period):
                continue
            if a != b and (max(a, b) >= ABSENT or _kind(a, tape) != _kind(b, tape)):
                return run
    return replace(run, start=first)


def _with_fitting_leaves(inputs: Ints, run: Run) -> Iterator[Run]:
    """The parts of a run in which every block has its own leaves, or all the same.

    Tied weights that change in the middle of a run would otherwise be lost in it.
    """
    blocks = inputs[run.start : run.end].reshape(run.times, -1)
    blocks = blocks[:, (blocks < ABSENT).any(axis=0)]
    first = 0
    while first < run.times:
        times = _alike(blocks[first:])
        start = run.start + first * run.period
        part = Run(start, start + times * run.period, run.period)
        if part.is_worth_it():
            yield part
        first += times


def _alike(blocks: Ints) -> int:
    """How many blocks from the first on agree in how they use leaves: (blocks, leaf inputs)."""
    if len(blocks) < 2 or not blocks.shape[1]:
        return len(blocks)
    shared = blocks[0] == blocks[1]
    seen = [{leaf} for leaf in blocks[0]]
    pattern = [int(np.argmax(blocks[0] == leaf)) for leaf in blocks[0]]
    for i, block in enumerate(blocks[1:], start=1):
        fits = all(
            leaf == first if same else leaf not in before
            for leaf, first, same, before in zip(block, blocks[0], shared, seen, strict=True)
        )
        if not fits or [int(np.argmax(block == leaf)) for leaf in block] != pattern:
            return i
        for before, leaf in zip(seen, block, strict=True):
            before.add(leaf)
    return len(blocks)


# -- folding ---------------------------------------------------------------------------------


def _folded(tape: Tape, runs: list[Run]) -> Tape:
    place = np.empty(len(tape.steps), dtype=np.int64)  # old number of a step -> new number
    steps: list[Step] = []
    at = 0
    for run in [*sorted(runs, key=lambda run: run.start), Run(len(tape.steps), len(tape.steps), 1)]:
        for i in range(at, run.start):
            place[i] = len(steps)
            steps.append(tape.steps[i])
        if run.times:
            place[run.start : run.end] = len(steps)
            steps.append(_block(tape.steps[run.start : run.end], run))
        at = run.end
    for i, step in enumerate(steps):
        moved = [int(place[s]) if s >= 0 else s for s in step.inputs]
        if step.times > 1:  # what it uses of itself stays inside
            moved = [s for s in dict.fromkeys(moved) if s != i]
        steps[i] = replace(step, inputs=tuple(moved))
    return Tape(steps, tape.leaves)


def _block(steps: list[Step], run: Run) -> Step:
    inputs = dict.fromkeys(s for step in steps for s in step.inputs if s != ABSENT)
    titles = tuple(_inner_title(step) for step in steps[: run.period])
    return Step(titles, steps[-1].shape, tuple(inputs), run.times, steps[-1].name)


def _inner_title(step: Step) -> str:
    if step.times == 1:
        return step.titles[0]
    return f"({' → '.join(step.titles)}) ×{step.times}"
