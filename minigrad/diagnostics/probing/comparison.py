"""Several runs side by side."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.probing.files import plain_number
from minigrad.diagnostics.probing.names import SERIES
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.diagnostics.probing.way import factor_per_layer, way_of
from minigrad.errors import ArgumentError

HEADINGS = {
    "steps": "steps",
    "loss": "loss",
    "dz_first": "dL/dz at first",
    "dz_factor": "per layer",
    "update_ratio": "update/W",
    "saturated": "saturated",
    "dead": "dead",
    "lost_at": "lost at step",
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
        `dz_factor`, what that is multiplied by towards the input, and per which `unit`, "layer"
        or "block" (see `probing.way`: normalizations and the insides of residual blocks are left
        out); `update_ratio`, the median over the layers; and the largest `saturated` and `dead`.
        Besides, its `steps`, the first and the last; and `lost_at`, the step from which on the
        run is lost to NaN and infinity, up to its end. None where nothing was recorded; what was
        lost is "nan", "inf" or "-inf".
        """
        return {name: _summary(run) for name, run in self.runs.items()}

    def table(self) -> str:
        """A line for each run, with what `to_dict` says; `-` where nothing was recorded."""
        return _as_text([["run", *self._headings().values()], *self._cells()])

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

    def _headings(self) -> dict[str, str]:
        """Those of the columns that have something to say."""
        found = dict(HEADINGS)
        if all(summary["lost_at"] is None for summary in self.to_dict().values()):
            del found["lost_at"]
        found["dz_factor"] = f"per {' or '.join(self._units() or ['layer'])}"
        return found

    def _units(self) -> list[str]:
        """What the factors are per."""
        summaries = self.to_dict().values()
        units = {summary["unit"] for summary in summaries if summary["dz_factor"] is not None}
        return sorted(units, reverse=True)

    def _cells(self) -> list[list[str]]:
        headings, several = self._headings(), len(self._units()) > 1
        rows = []
        for name, summary in self.to_dict().items():
            cells = {key: _cell(summary[key]) for key in headings}
            if several and summary["dz_factor"] is not None:
                cells["dz_factor"] += f" ({summary['unit']})"
            rows.append([name, *cells.values()])
        return rows

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) for cells in self._cells()
        ]
        titles = "".join(f"<th>{title}</th>" for title in ["run", *self._headings().values()])
        return f"<table><tr>{titles}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _summary(run: Recording) -> dict[str, Any]:
    lost_at = _lost_at(run)
    found: dict[str, Any] = {
        "steps": [run.steps[0], run.steps[-1]] if len(run) else None,
        **dict.fromkeys(key for key in HEADINGS if key != "steps"),
        "unit": None,
        "lost_at": lost_at,
    }
    if not len(run):
        return found
    lost = lost_at is not None and run.steps[-1] >= lost_at
    dz, bad = run.series("dz_rms")[-1], _bad(run, "dz")[-1]
    stepped = not np.isnan(run.series("update_ratio")).all()  # was there an optimizer?
    way = way_of(run.layers, run.meta.get("kinds", {}), _called(run))
    if way.steps:
        first = way.steps[0]
        found["dz_first"] = _plain(dz[first], lost=bool(bad[first]))
        factor = factor_per_layer(dz[list(way.steps)], run.meta.get("dtype", "float32"))
        found["dz_factor"] = _plain(factor, lost=bool(bad[list(way.steps)].any()))
    return found | {
        "loss": _plain(run.loss[-1], lost),
        "unit": way.unit,
        "update_ratio": _plain(_of_layers(np.median, run, "update_ratio"), lost and stepped),
        "saturated": _plain(_of_layers(np.max, run, "saturated")),
        "dead": _plain(_of_layers(np.max, run, "dead")),
    }


def _of_layers(fold: Callable[[FLOAT], Any], run: Recording, series: str) -> float:
    """Median or largest of the last record; NaN where there is none."""
    values = run.series(series)[-1]
    known = values[~np.isnan(values)]
    return float(fold(known)) if len(known) else math.nan


def _plain(value: float, lost: bool = False) -> float | str | None:
    """A number as JSON can hold it; of NaN, whether it was measured or nothing was."""
    return "nan" if lost and math.isnan(value) else plain_number(value)


def _bad(run: Recording, signal: str) -> NDArray[np.bool_]:
    """Where a signal held NaN or infinity, (records, layers)."""
    nans, infs = (run.series(f"{signal}_{kind}") for kind in ("nans", "infs"))
    return np.asarray((nans > 0) | (infs > 0))


def _called(run: Recording) -> list[bool]:
    """Per layer, whether anything arrived there in any record."""
    names = ("z_rms", "z_nans", "dz_rms", "dz_nans")
    arrived = [~np.isnan(run.series(name)).all(axis=0) for name in names]
    return np.any(arrived, axis=0).tolist()  # type: ignore[no-any-return]


def _lost_at(run: Recording) -> int | None:
    """The first step from which on all records hold NaN or infinity; or what `meta` says."""
    noted = run.meta.get("diverged")
    if isinstance(noted, int) and not isinstance(noted, bool):
        return noted
    bad = np.isinf(run.loss)
    for signal in ("z", "dz", "dw"):
        bad |= _bad(run, signal).any(axis=1)
    whole = np.flatnonzero(~bad)
    first = int(whole[-1]) + 1 if whole.size else 0
    return run.steps[first] if first < len(run) else None


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(map(str, value))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return str(value) if isinstance(value, int) else f"{float(value):.3g}"


def _as_text(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )
