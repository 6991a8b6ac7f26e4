"""Several runs side by side."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.diagnostics.probing.files import plain_number
from minigrad.diagnostics.probing.names import SERIES
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.errors import ArgumentError

HEADINGS = {
    "steps": "steps",
    "loss": "loss",
    "dz_first": "dL/dz at first",
    "dz_factor": "per layer",
    "update_ratio": "update/W",
    "saturated": "saturated",
    "dead": "dead",
}


def compare(*runs: Recording | str | Path, names: Sequence[str] | None = None) -> Comparison:
    """Put runs side by side.

    Arguments:
        runs: recordings (a Probe is one), or the paths of files that `to_jsonl` or `to_csv` wrote.
        names: one for each. By default `meta["name"]`, the file's name, or "run 1", "run 2", ...

    Raises:
        ArgumentError: no run, not one name for each, a name twice, no such file, or one that is
            no recording.

    >>> slow, fast = Recording(["1", "2", "3"]), Recording(["1", "2", "3"])
    >>> slow.add(0, {"dz_rms": [0.25, 0.5, 1.0]}, loss=2.3)
    >>> fast.add(0, {"dz_rms": [4.0, 2.0, 1.0]}, loss=1.5)
    >>> print(compare(slow, fast, names=["slow", "fast"]))
    run    steps   loss  dL/dz at first  per layer  update/W  saturated  dead
    slow  0 to 0    2.3            0.25        0.5         -          -     -
    fast  0 to 0    1.5               4          2         -          -     -
    """
    if not runs:
        raise ArgumentError("compare: no runs; pass recordings, or the paths of their files")
    recordings = []
    for run in runs:
        if isinstance(run, str | Path):
            run = Recording.load(run)
        elif not isinstance(run, Recording):
            raise ArgumentError(
                f"compare: takes recordings and paths of their files, got {type(run).__name__}"
                + ("; of a list, compare(*runs)" if isinstance(run, list | tuple) else "")
            )
        recordings.append(run)
    if names is None:
        pairs = enumerate(zip(runs, recordings, strict=True))
        names = [_name(run, recording, place) for place, (run, recording) in pairs]
    elif not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(
            f"compare: names must be a list with a text for each run, such as names=['slow', "
            f"'fast'], got {names!r}"
        )
    if len(names) != len(runs):
        raise ArgumentError(f"compare: {len(runs)} runs, but {len(names)} names")
    if len(set(names)) < len(names):
        raise ArgumentError(
            f"compare: each run needs a name of its own, got {', '.join(names)}; give other ones, "
            f"names=[{', '.join(repr(f'run {i + 1}') for i in range(len(names)))}]"
        )
    return Comparison(dict(zip(names, recordings, strict=True)))


def _name(run: Recording | str | Path, recording: Recording, place: int) -> str:
    if "name" in recording.meta:
        return str(recording.meta["name"])
    return f"run {place + 1}" if isinstance(run, Recording) else Path(run).stem


class Comparison:
    """Runs side by side; printed, a line for each.

    Arguments:
        runs: recordings by name.

    Attributes:
        runs: as given.

    Raises:
        ArgumentError: something else than a dict of recordings.
    """

    def __init__(self, runs: dict[str, Recording]) -> None:
        by_name = isinstance(runs, dict)
        if not by_name or not all(isinstance(run, Recording) for run in runs.values()):
            raise ArgumentError(
                "Comparison: takes a dict of recordings by name; compare(first, second) makes one "
                f"of recordings and files, got {type(runs).__name__}"
            )
        self.runs = runs

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Per run, of its last record: `loss`; `dz_first`, the rms of dL/dz in the first layer;
        `dz_factor`, what that is multiplied by per layer towards the input; `update_ratio`, the
        median over the layers; and the largest `saturated` and `dead`. Besides, its `steps`, the
        first and the last. None where nothing was recorded.
        """
        return {name: _summary(run) for name, run in self.runs.items()}

    def table(self) -> str:
        """A line for each run, with what `to_dict` says; `-` where nothing was recorded."""
        return _as_text([["run", *HEADINGS.values()], *self._cells()])

    def layers(self, series: str) -> str:
        """One quantity in the last record of every run: a line for each layer.

        Arguments:
            series: its name, such as "dz_rms"; see `Recording`.

        Raises:
            ArgumentError: another name.
        """
        if series not in SERIES:
            raise ArgumentError(f"layers: no series {series!r}; use one of {', '.join(SERIES)}")
        columns = [
            dict(zip(run.layers, run.series(series)[-1], strict=True)) if len(run) else {}
            for run in self.runs.values()
        ]
        names = list(dict.fromkeys(layer for run in self.runs.values() for layer in run.layers))
        rows = [[layer, *[_cell(column.get(layer)) for column in columns]] for layer in names]
        return _as_text([[series, *self.runs], *rows])

    def _cells(self) -> list[list[str]]:
        return [
            [name, *[_cell(summary[key]) for key in HEADINGS]]
            for name, summary in self.to_dict().items()
        ]

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) for cells in self._cells()
        ]
        titles = "".join(f"<th>{title}</th>" for title in ["run", *HEADINGS.values()])
        return f"<table><tr>{titles}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _summary(run: Recording) -> dict[str, Any]:
    def last(series: str) -> FLOAT:
        found = run.series(series)[-1] if len(run) else np.zeros(0)
        return found[~np.isnan(found)]

    losses, dz = run.loss[~np.isnan(run.loss)], last("dz_rms")
    numbers = {
        "loss": losses[-1:],
        "dz_first": dz[:1],
        "dz_factor": _factor(dz),
        "update_ratio": _median(last("update_ratio")),
        "saturated": last("saturated"),
        "dead": last("dead"),
    }
    found = {
        key: plain_number(max(values)) if len(values) else None for key, values in numbers.items()
    }
    return {"steps": [run.steps[0], run.steps[-1]] if len(run) else None, **found}


def _median(values: FLOAT) -> FLOAT:
    return np.median(values, keepdims=True) if len(values) else values


def _factor(dz: FLOAT) -> FLOAT:
    """The geometric mean over the hidden layers, the last one being the output's."""
    hidden = dz[:-1]
    usable = (np.isfinite(hidden) & (hidden > 0)).nonzero()[0]
    if len(usable) < 2:
        return np.zeros(0)
    first, last = usable[0], usable[-1]
    ratio = math.log(hidden[first]) - math.log(hidden[last])
    return np.array([math.exp(ratio / (last - first))])


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(map(str, value))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{float(value):.3g}"


def _as_text(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )
