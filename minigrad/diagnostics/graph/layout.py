"""Where boxes and arrows go: a layered drawing, inputs above what is made of them.

In four steps (Sugiyama, Tagawa & Toda 1981): boxes get a layer each, the longest path deciding;
an arrow over several layers gets a joint in each between; the order within the layers is improved
by putting each box at the mean place of its neighbours; then everything gets coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

GAP = 18.0  # between boxes side by side, in points like all lengths here
ROW_GAP = 30.0  # between one layer and the next, for the arrows
JOINT = 4.0  # the width that an arrow takes in a layer it passes through
ENDS_APART = 10.0  # arrows at the box that they lead to
ABREAST = 3  # leaves of one box; more stand in rows
SWEEPS = 12

Size = tuple[float, float]
Point = tuple[float, float]
Neighbours = list[list[int]]


@dataclass(frozen=True)
class Layout:
    """Coordinates, x to the right and y downwards from 0.

    Attributes:
        centres: of the boxes.
        routes: per arrow the points that it goes through, from edge to edge of its boxes.
        width, height: of the whole.
    """

    centres: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


def arrange(sizes: Sequence[Size], arrows: Sequence[tuple[int, int]]) -> Layout:
    """Lay out boxes of the given sizes (width, height).

    Arguments:
        sizes: per box; boxes come after all that have an arrow to them.
        arrows: (from, to), by the numbers of the boxes; there may be several alike.
    """
    layer = _layers(len(sizes), arrows)
    chains, layer = _with_joints(layer, arrows)
    above: Neighbours = [[] for _ in layer]
    below: Neighbours = [[] for _ in layer]
    for chain in dict.fromkeys(map(tuple, chains)):
        for a, b in pairwise(chain):
            above[b].append(a)
            below[a].append(b)
    widths = np.array([w for w, _ in sizes] + [JOINT] * (len(layer) - len(sizes)))
    pull = _pulls(len(sizes), above, layer)
    # Arrows that pass through begin right or left of the boxes; what is narrower in the end, stays.
    boxes_first = _rows(layer)
    joints_first = [sorted(row, key=lambda i: i < len(sizes)) for row in boxes_first]
    orders = [_order(start, above, below) for start in (boxes_first, joints_first)]
    drafts = [(rows, _across(rows, widths, above, below, pull)) for rows in orders]
    rows, x = min(
        drafts, key=lambda draft: (_crossings(draft[0], below), round(max(draft[1] + widths / 2)))
    )
    bands = _down(rows, sizes)
    centres = [(float(x[i]), sum(bands[layer[i]]) / 2) for i in range(len(sizes))]
    routes = [_route([(float(x[i]), bands[layer[i]]) for i in chain]) for chain in chains]
    routes = _to_edges(_apart(routes, arrows, sizes), arrows, centres, sizes)
    return Layout(centres, routes, float(max(x + widths / 2)), bands[-1][1])


# -- layers ----------------------------------------------------------------------------------


def _layers(boxes: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """Per box the length of the longest path to it; but of a leaf, right above its first user.

    Where a box has more than `ABREAST` leaves, they take several layers.
    """
    pairs = sorted(set(arrows), key=lambda arrow: arrow[1])
    targets = {b for _, b in pairs}
    users: Neighbours = [[] for _ in range(boxes)]
    leaves: Neighbours = [[] for _ in range(boxes)]
    for a, b in pairs:
        users[a].append(b)
        if a not in targets:
            leaves[b].append(a)
    rows = [max(1, math.ceil(len(own) / ABREAST)) for own in leaves]
    layer = [0] * boxes
    for a, b in pairs:
        layer[b] = max(layer[b], rows[b] + (layer[a] if a in targets else 0))
    for first in sorted(targets, key=lambda b: -layer[b]):  # the last word has the uppermost user
        abreast = math.ceil(len(leaves[first]) / rows[first])
        for place, leaf in enumerate(leaves[first]):
            layer[leaf] = layer[first] - 1 - place // abreast
    return layer


def _with_joints(
    layer: list[int], arrows: Sequence[tuple[int, int]]
) -> tuple[list[list[int]], list[int]]:
    """Per arrow what it passes through, from box to box; and the layers, with the joints'."""
    layer = list(layer)
    made: dict[tuple[int, int], list[int]] = {}
    for a, b in arrows:
        if (a, b) not in made:
            joints = range(len(layer), len(layer) + layer[b] - layer[a] - 1)
            layer += range(layer[a] + 1, layer[b])
            made[a, b] = [a, *joints, b]
    return [made[arrow] for arrow in arrows], layer


# -- order within a layer --------------------------------------------------------------------


def _rows(layer: list[int]) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for i, at in enumerate(layer):
        rows[at].append(i)
    return rows


def _order(rows: list[list[int]], above: Neighbours, below: Neighbours) -> list[list[int]]:
    """The rows, each in the order with the fewest crossings that was found."""
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        rows = _swept(rows if down else rows[::-1], above if down else below)
        rows = rows if down else rows[::-1]
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _swept(rows: list[list[int]], before: Neighbours) -> list[list[int]]:
    """Each row after the first sorted by the mean place of its neighbours in the row before."""
    done = [rows[0]]
    for row in rows[1:]:
        place = {i: float(k) for k, i in enumerate(done[-1])}
        wish = {
            i: float(np.mean([place[j] for j in before[i]])) if before[i] else float(k)
            for k, i in enumerate(row)
        }
        done.append(sorted(row, key=wish.__getitem__))
    return done


def _crossings(rows: list[list[int]], below: Neighbours) -> int:
    total = 0
    for row, under in pairwise(rows):
        place = {i: k for k, i in enumerate(under)}
        ends = np.array([place[j] for i in row for j in sorted(below[i], key=place.__getitem__)])
        # Of two arrows that begin left and right of each other, the ends must not lie right, left.
        total += int(np.triu(ends[:, None] > ends[None, :]).sum())
    return total


# -- coordinates -----------------------------------------------------------------------------


def _pulls(boxes: int, above: Neighbours, layer: list[int]) -> NDArray[np.float64]:
    """How hard each thing pulls at its neighbours, to become one straight line with them.

    Joints do most, so that long arrows are straight; then operations, so that a chain of them
    is; and leaves make room.
    """
    return np.array([3.0 if i >= boxes else 2.0 if above[i] else 0.1 for i in range(len(layer))])


def _across(
    rows: list[list[int]],
    widths: NDArray[np.float64],
    above: Neighbours,
    below: Neighbours,
    pull: NDArray[np.float64],
) -> NDArray[np.float64]:
    """x of every centre: as near as possible to the neighbours', without overlap."""
    x = np.zeros(len(widths))
    offsets = []
    for row in rows:
        w = widths[row]
        offset = np.concatenate([[0.0], np.cumsum((w[:-1] + w[1:]) / 2 + GAP)])
        offsets.append(offset)
        x[row] = offset - offset[-1] / 2
    for sweep in range(4 * SWEEPS):
        down = sweep % 2 == 0
        places = range(len(rows)) if down else range(len(rows) - 1, -1, -1)
        for k in places:
            row = rows[k]
            wish, weight = np.empty(len(row)), np.empty(len(row))
            for n, i in enumerate(row):
                near = above[i] + below[i]
                strength = pull[i] * pull[near]
                wish[n] = strength @ x[near] / strength.sum() if near else x[i]
                weight[n] = strength.sum() if near else 1.0
            x[row] = _increasing(wish - offsets[k], weight) + offsets[k]
    return x - float((x - widths / 2).min())


def _increasing(wish: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nondecreasing numbers nearest to `wish` in weighted squares: neighbours are pooled.

    >>> _increasing(np.array([1.0, 3.0, 2.0]), np.ones(3)).tolist()
    [1.0, 2.5, 2.5]
    """
    pools: list[list[float]] = []  # value, weight, count
    for value, w in zip(wish, weight, strict=True):
        pools.append([float(value), float(w), 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            v, w, n = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + v * w) / (last[1] + w)
            last[1] += w
            last[2] += n
    return np.repeat([p[0] for p in pools], [int(p[2]) for p in pools])


def _down(rows: list[list[int]], sizes: Sequence[Size]) -> list[tuple[float, float]]:
    """Per layer its upper and its lower edge."""
    bands = []
    top = 0.0
    for row in rows:
        bottom = top + max(sizes[i][1] for i in row if i < len(sizes))
        bands.append((top, bottom))
        top = bottom + ROW_GAP
    return bands


def _route(places: list[tuple[float, tuple[float, float]]]) -> list[Point]:
    """Through every layer straight down, and so past the boxes in it: x and the layer's edges."""
    points = [(x, edge) for x, edges in places for edge in edges]
    return points[1:-1]


def _to_edges(
    routes: list[list[Point]],
    arrows: Sequence[tuple[int, int]],
    centres: list[Point],
    sizes: Sequence[Size],
) -> list[list[Point]]:
    """From the lower edge of one box to the upper edge of the other, which may be low ones."""
    found = []
    for (a, b), route in zip(arrows, routes, strict=True):
        (x0, y0), (x1, y1) = route[0], route[-1]
        start = (x0, centres[a][1] + sizes[a][1] / 2)
        end = (x1, centres[b][1] - sizes[b][1] / 2)
        found.append([*([start] if start[1] < y0 else []), *route, *([end] if end[1] > y1 else [])])
    return found


def _apart(
    routes: list[list[Point]], arrows: Sequence[tuple[int, int]], sizes: Sequence[Size]
) -> list[list[Point]]:
    """Ends of arrows beside each other: those into one box, in the order they come from."""
    shifted = [list(route) for route in routes]
    into: dict[int, list[int]] = {}
    for k, (_, b) in enumerate(arrows):
        into.setdefault(b, []).append(k)
    for box, members in into.items():
        members.sort(key=lambda k: routes[k][-2][0])
        distance = min(ENDS_APART, 0.8 * sizes[box][0] / len(members))
        for n, k in enumerate(members):
            x, y = routes[k][-1]
            shifted[k][-1] = (x + (n - (len(members) - 1) / 2) * distance, y)
    return shifted
