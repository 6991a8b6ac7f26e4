"""What `diagnose` says: verdicts on a network and on each of its layers, as text and as data."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from minigrad.diagnostics.judging.chart import RECTIFIER, natural_share
from minigrad.diagnostics.probing.files import plain_number

# In the order in which a network's verdict takes the first: what causes before what it causes.
# Where units are flat the gradient dies or grows with depth, and what dies ends in underflow; and
# a network that is ill before its first step makes for steps that are unstable.
ORDER = ("saturated", "dead", "exploding", "vanishing", "underflow", "unstable")

HEALTHY, UNKNOWN = "healthy", "unknown"

COLUMNS = {
    "dz_rms": "dL/dz", "dw_rms": "dL/dW", "z_rms": "z",
    "saturated": "saturated", "dead": "dead", "update_ratio": "update/W",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One illness.

    Attributes:
        verdict: its name.
        layers: those that have it; none where it is one of the whole.
        since: the step at which it first showed.
        evidence: what was measured, and where.
        cure: what to try.
        numbers: the evidence as numbers.
    """

    verdict: str
    layers: tuple[str, ...]
    since: int
    evidence: str
    cure: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.verdict}: {self.evidence}. Try: {self.cure}"


@dataclass(frozen=True)
class LayerVerdict:
    """One layer.

    Attributes:
        index: its place among the layers that were looked at, from 1.
        name: its path in the network.
        activation: class name of its activation, or "".
        verdicts: all it has, the cause first; empty if healthy.
        numbers: `dz_rms`, `dw_rms`, `z_rms`, `saturated`, `dead` and `update_ratio`; NaN where
            nothing was measured.
        seen: did a finite gradient arrive there?
    """

    index: int
    name: str
    activation: str
    verdicts: tuple[str, ...]
    numbers: Mapping[str, float]
    seen: bool = True

    @property
    def verdict(self) -> str:
        """The first of its verdicts; else "healthy", or "unknown" where no gradient arrived."""
        if self.verdicts:
            return self.verdicts[0]
        return HEALTHY if self.seen else UNKNOWN


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `diagnose` found. `print` shows it as a table, a notebook as a coloured one.

    Attributes:
        findings: every illness, the first cause first.
        layers: a `LayerVerdict` for each.
        step: the step that the numbers of the layers are from; all of its one batch but `dead`.
        window: over which records `dead` is, in words.
        notes: what is no illness, but keeps a network from training; see `progress`.
        remarks: how to read the table, and how it was judged.
        factor_per_layer: what the rms of dL/dz is multiplied by on each step towards the input,
            the geometric mean over the hidden layers; NaN where it cannot be told.
        unit: what such a step goes past: "layer", "block" (of residual networks) or "layer or
            block".
        not_judged: which illnesses could not be looked for, and why; then a network without others
            is "unknown".
    """

    findings: tuple[Finding, ...]
    layers: tuple[LayerVerdict, ...]
    step: int
    factor_per_layer: float
    window: str = "a window of records"
    unit: str = "layer"
    not_judged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The first cause; else "healthy", or "unknown" where not all could be looked for."""
        if self.findings:
            return self.findings[0].verdict
        return UNKNOWN if self.not_judged else HEALTHY

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Every illness, the first cause first; empty if there is none."""
        return tuple(finding.verdict for finding in self.findings)

    def table(self) -> str:
        """Verdict, evidence and cure of each illness, and a line for every layer.

        Numbers are root mean squares; `-` stands where nothing was measured.
        """
        lines = [f"verdict: {self.verdict}{self._factor()}"]
        for finding in self.findings:
            for words in (f"{finding.verdict}: {finding.evidence}", f"try: {finding.cure}"):
                lines += textwrap.wrap(words, 92, initial_indent="  ", subsequent_indent="      ")
        for note in self.notes:
            lines += textwrap.wrap(
                f"note: {note}", 92, initial_indent="  ", subsequent_indent="      "
            )
        widest = max(map(len, ["layer", *(layer.name for layer in self.layers)]))
        titles = "".join(f"{title:>10}" for title in COLUMNS.values())
        lines += ["", f"step {self.step}:", f"{'layer':<{widest}}  {'verdict':<10}{titles}"]
        lines += [
            f"{layer.name:<{widest}}  {layer.verdict:<10}"
            + "".join(f"{cell:>10}" for cell in _cells(layer))
            for layer in self.layers
        ]
        return "\n".join([*lines, *self._notes()])

    def _notes(self) -> list[str]:
        """What a beginner may ask of the numbers."""
        notes = []
        if any(_is_rectifier(layer) and _has(layer, "saturated") for layer in self.layers):
            notes.append("off: of the numbers in this batch; about half is normal for a rectifier")
        if any(layer.numbers.get("dead", math.nan) > 0 for layer in self.layers):
            notes.append(f"dead: units that passed nothing in {self.window}")
        lines = (textwrap.wrap(remark, 92, subsequent_indent="    ") for remark in self.remarks)
        unjudged = [f"not judged: {what}" for what in self.not_judged]
        return [*unjudged, *notes, *chain.from_iterable(lines)]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data for JSON; None stands for NaN and infinity."""
        return {
            "verdict": self.verdict,
            "step": self.step,
            "factor_per_layer": plain_number(self.factor_per_layer),
            "unit": self.unit,
            "window": self.window,
            "not_judged": list(self.not_judged),
            "notes": list(self.notes),
            "remarks": list(self.remarks),
            "findings": [
                {**vars(f), "layers": list(f.layers), "numbers": _plain(f.numbers)}
                for f in self.findings
            ],
            "layers": [
                {
                    **vars(layer), "verdict": layer.verdict, "verdicts": list(layer.verdicts),
                    "numbers": _plain(layer.numbers),
                }
                for layer in self.layers
            ],
        }  # fmt: skip

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__

    def _factor(self) -> str:
        if math.isnan(self.factor_per_layer):
            return ""
        return (
            f" (dL/dz is multiplied by {self.factor_per_layer:.3g} per {self.unit} towards the "
            "input)"
        )

    def _repr_html_(self) -> str:
        """The same for notebooks, with a colour beside each word."""
        head = f"<p><b>verdict: {_coloured(self.verdict)}</b>{html.escape(self._factor())}</p>"
        items = "".join(
            f"<li>{_coloured(f.verdict)}: {html.escape(f.evidence)}.<br>"
            f"<i>Try:</i> {html.escape(f.cure)}.</li>"
            for f in self.findings
        ) + "".join(f"<li>note: {html.escape(note)}.</li>" for note in self.notes)
        titles = "".join(f"<th>{title}</th>" for title in ["layer", "verdict", *COLUMNS.values()])
        rows = "".join(
            f"<tr><td>{html.escape(layer.name)}</td><td>{_coloured(layer.verdict)}</td>"
            + "".join(f"<td>{cell}</td>" for cell in _cells(layer))
            + "</tr>"
            for layer in self.layers
        )
        notes = "".join(f"<br>{html.escape(note)}" for note in self._notes())
        return (
            f"{head}<ul>{items}</ul><table><caption>step {self.step}{notes}</caption>"
            f"<tr>{titles}</tr>{rows}</table>"
        )


def _plain(numbers: Mapping[str, float]) -> dict[str, float | str | None]:
    return {name: plain_number(value) for name, value in numbers.items()}


def _cells(layer: LayerVerdict) -> list[str]:
    cells = {name: _cell(name, layer.numbers.get(name, math.nan)) for name in COLUMNS}
    if _is_rectifier(layer) and _has(layer, "saturated"):
        cells["saturated"] = f"off {cells['saturated']}"
    return list(cells.values())


def _is_rectifier(layer: LayerVerdict) -> bool:
    return natural_share(layer.activation) >= RECTIFIER


def _has(layer: LayerVerdict, name: str) -> bool:
    return not math.isnan(layer.numbers.get(name, math.nan))


def _cell(name: str, value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.0%}" if name in ("saturated", "dead") else f"{value:.1e}"


# Okabe & Ito (2008): told apart by colour-blind readers, too.
_COLOURS = {
    "saturated": "#CC79A7", "dead": "#000000", "exploding": "#D55E00", "vanishing": "#0072B2",
    "underflow": "#56B4E9", "unstable": "#E69F00", HEALTHY: "#009E73", UNKNOWN: "#999999",
}  # fmt: skip


def _coloured(verdict: str) -> str:
    return f'<span style="color:{_COLOURS[verdict]}">&#9632;</span> {verdict}'
