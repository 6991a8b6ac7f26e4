"""One record as a table, for a terminal and for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

import numpy as np

from minigrad.diagnostics.probing.names import COLUMN
from minigrad.diagnostics.probing.statistics import FLOAT

# The series that are shown, with their headings.
SHOWN = {"z_rms": "rms z", "dz_rms": "rms dL/dz", "dw_rms": "rms dL/dW", "update_ratio": "update/W"}


def as_text(heading: str, layers: Sequence[str], record: FLOAT) -> str:
    """A line for each layer; record: shape (layers, measured series)."""
    width = max(map(len, ["layer", *layers]))
    titles = "".join(f"{title:>11}" for title in SHOWN.values())
    lines = [heading, f"{'layer':<{width}}{titles}"]
    lines += [
        f"{name:<{width}}" + "".join(f"{cell:>11}" for cell in cells)
        for name, cells in _rows(layers, record)
    ]
    return "\n".join(lines)


def as_html(heading: str, layers: Sequence[str], record: FLOAT) -> str:
    """The same for a notebook."""
    titles = "".join(f"<th>{title}</th>" for title in ["layer", *SHOWN.values()])
    body = "".join(
        f"<tr><td>{html.escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in _rows(layers, record)
    )
    return f"<table><caption>{heading}</caption><tr>{titles}</tr>{body}</table>"


def _rows(layers: Sequence[str], record: FLOAT) -> Iterator[tuple[str, list[str]]]:
    for layer, numbers in zip(layers, record, strict=True):
        yield layer, [_cell(name, numbers) for name in SHOWN]


def _cell(name: str, numbers: FLOAT) -> str:
    """One number of a layer's row. Where NaN arrived it says so; where nothing arrived, `-`."""
    value = numbers[COLUMN[name]]
    if name == "update_ratio":
        return "-" if np.isnan(value) else f"{value:.2e}"
    has_nans = numbers[COLUMN[f"{name.partition('_')[0]}_nans"]] > 0
    return "-" if np.isnan(value) and not has_nans else f"{value:.2e}"
