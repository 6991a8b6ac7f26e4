"""The figure: what a training step takes, as a multiple of NumPy written out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Okabe and Ito's colours, which colour-blind readers tell apart; the markers do it in grey.
STYLES = {
    "torch": ("PyTorch", "#E69F00", "s"),
    "fused": ("PyTorch, fused Adam", "#CC79A7", "D"),
    "minigrad": ("minigrad", "#0072B2", "o"),
    "jax": ("JAX, compiled", "#009E73", "^"),
}


def save(tables: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the tables of the grid of tanh and Adam, a panel per depth."""
    from matplotlib.figure import Figure

    rows = [row for table in tables if table["key"] == "grid tanh adam" for row in table["rows"]]
    depths = sorted({row["case"]["depth"] for row in rows})
    figure = Figure(figsize=(2.4 + 2.2 * len(depths), 3.4), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(depths), sharey=True, squeeze=False)[0]
    for ax, depth in zip(panels, depths, strict=True):
        _draw(ax, [row for row in rows if row["case"]["depth"] == depth])
        ax.set_title(f"{depth} layers", fontsize="medium")
    panels[0].set_ylabel("time of a training step,\nas a multiple of the limit")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5,
                  frameon=False, fontsize="small")  # fmt: skip
    figure.savefig(path)


def _draw(ax: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    ax.axhline(1, color="#222222", linewidth=1, label="limit: NumPy by hand")
    for name, (label, colour, marker) in STYLES.items():
        points = [
            (row["case"]["width"], row["values"][name] / row["values"]["limit"])
            for row in rows
            if name in row["values"]
        ]
        if points:
            main = name == "minigrad"
            ax.plot(*zip(*points, strict=True), color=colour, marker=marker, label=label,
                    linewidth=2.2 if main else 1.2, markersize=6 if main else 5,
                    zorder=3 if main else 2)  # fmt: skip
    widths = [row["case"]["width"] for row in rows]
    ax.set_xscale("log", base=2)
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.set_yscale("log", base=2)
    ax.set_yticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
    ax.minorticks_off()
    ax.set_xlabel("width")
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
