"""What is to be drawn: boxes with lines of text in them, and arrows between the boxes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minigrad.diagnostics.graph.folding import fold
from minigrad.diagnostics.graph.reading import ABSENT, Leaf, Step, Tape, leaf_input, read

READABLE = 40  # steps and leaves; of more, repetitions are folded unless one asks otherwise
SHOWN_TITLES = 16  # operations that a block names; of a longer one the first and the last
LINE = 34  # characters, after which names go on in a new line


@dataclass(frozen=True)
class Box:
    """A box: an operation ("op"), a block of operations that repeats ("block"), or a "leaf".

    Attributes:
        kind: "op", "block" or "leaf".
        title: the lines that say what it is.
        notes: the lines below: how often, and the shape or the value.
        times: how many operations, blocks or leaves it stands for.
        is_output: whether it is the tensor that was asked about.
    """

    kind: str
    title: tuple[str, ...]
    notes: tuple[str, ...]
    times: int = 1
    is_output: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        return (*self.title, *self.notes)


@dataclass(frozen=True)
class Graph:
    """Boxes, and arrows (from, to) by their numbers, one for each argument of an operation."""

    boxes: list[Box]
    arrows: list[tuple[int, int]]


def outline(
    asked: str, tensor: Any, names: Mapping[str, Any] | None, model: Any, folded: bool | None
) -> Graph:
    """The boxes and arrows that show how a tensor was computed; the arguments are `read`'s.

    Arguments:
        folded: fold repetitions? None: where there is more than `READABLE`.
    """
    tape = read(asked, tensor, names, model)
    if folded or (folded is None and len(tape.steps) + len(tape.leaves) > READABLE):
        tape = fold(tape)
    boxes: list[Box] = []
    number: dict[int, int] = {}  # of an input (see `reading`) -> of its box
    arrows: list[tuple[int, int]] = []
    groups = _groups(tape)
    members: dict[int, list[Leaf]] = {}
    for source, group in groups.items():
        members.setdefault(group, []).append(tape.leaves[leaf_input(source)])
    for i, step in enumerate(tape.steps):
        sources = [groups.get(source, source) for source in step.inputs if source != ABSENT]
        for source in sources:
            if source not in number:  # a leaf, which stands before its first user
                number[source] = len(boxes)
                boxes.append(_leaf_box(members[source]))
        number[i] = len(boxes)
        boxes.append(_step_box(step, i == len(tape.steps) - 1))
        arrows += _arrows([number[source] for source in sources], number[i], boxes)
    return Graph(boxes, arrows)


def _arrows(sources: list[int], target: int, boxes: list[Box]) -> list[tuple[int, int]]:
    """An arrow for each argument (x * x has two), but only one from or to a box of many."""
    found: list[tuple[int, int]] = []
    for source in sources:
        many = max(boxes[source].times, boxes[target].times) > 1
        if not many or (source, target) not in found:
            found.append((source, target))
    return found


def _groups(tape: Tape) -> dict[int, int]:
    """Per leaf the first of those that go into one box with it: alike, and in the same blocks."""
    users: dict[int, dict[int, None]] = {}
    for i, step in enumerate(tape.steps):
        for source in step.inputs:
            if source < ABSENT:
                users.setdefault(source, {})[i] = None
    first: dict[object, int] = {}
    groups = {}
    for source, used_by in users.items():
        leaf = tape.leaves[leaf_input(source)]
        alike: object = source
        if any(tape.steps[i].times > 1 for i in used_by):
            alike = (tuple(used_by), leaf.shape, re.sub(r"\d+", "#", leaf.name))
        groups[source] = first.setdefault(alike, source)
    return groups


# -- text ------------------------------------------------------------------------------------


def _step_box(step: Step, is_output: bool) -> Box:
    title = _joined(step.titles)
    if step.name:
        title = f"{step.name} = {title}"
    kind, notes = ("block", [f"×{step.times}"]) if step.times > 1 else ("op", [])
    return Box(kind, _wrapped(title), (*notes, *_shape(step.shape)), step.times, is_output)


def _joined(titles: tuple[str, ...]) -> str:
    if len(titles) > SHOWN_TITLES:
        ends = SHOWN_TITLES // 2
        left_out = f"({len(titles) - 2 * ends} more)"
        titles = (*titles[:ends], left_out, *titles[-ends:])
    return " → ".join(titles)


def _leaf_box(leaves: list[Leaf]) -> Box:
    name = _common_name([leaf.name for leaf in leaves]) or "leaf"
    if len(leaves) > 1:
        notes = (f"×{len(leaves)}", *_shape(leaves[0].shape))
        return Box("leaf", _wrapped(name), notes, len(leaves))
    (leaf,) = leaves
    if not leaf.value:
        return Box("leaf", _wrapped(name), _shape(leaf.shape))
    gradient = (f"gradient {leaf.gradient}",) if leaf.gradient else ()
    return Box("leaf", _wrapped(f"{name} = {leaf.value}"), gradient)


def _wrapped(text: str) -> tuple[str, ...]:
    """Lines of about `LINE` characters, broken after spaces, and in paths after dots.

    >>> _wrapped("encoder.layer12.attention.projection.weight")
    ('encoder.layer12.attention.', 'projection.weight')
    """
    pieces = re.findall(r"[^. ]*[. ]?", " ".join(text.split()))
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > LINE:
            lines.append("")
        lines[-1] += piece
    return tuple(line.rstrip() for line in lines)


def _common_name(names: list[str]) -> str:
    """One name for several that differ in their numbers alone.

    >>> _common_name(["layer2.weight", "layer3.weight", "layer9.weight"])
    'layer2..9.weight'
    """
    first, last = (re.split(r"(\d+)", name) for name in (names[0], names[-1]))
    return "".join(a if a == b else f"{a}..{b}" for a, b in zip(first, last, strict=True))


def _shape(shape: tuple[int, ...] | None) -> tuple[str, ...]:
    if shape is None:
        return ()
    return (str(shape),) if shape else ("one number",)
