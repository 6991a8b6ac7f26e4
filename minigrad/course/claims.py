"""What a lesson found, in a form that a machine can check: one `Claim` per law."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from minigrad.errors import ArgumentError


@dataclass(frozen=True)
class Claim:
    """A law put to the test: it holds where |measured - predicted| <= tolerance.

    Attributes:
        law: what is claimed, in a few words.
        predicted: the number that the law gives.
        measured: the number that was found.
        tolerance: how far apart the two may be, at least 0.
        source: who says so: paper, year, equation.

    >>> Claim("a fair coin", predicted=0.5, measured=0.53, tolerance=0.05, source="folklore").holds
    True
    """

    law: str
    predicted: float
    measured: float
    tolerance: float
    source: str

    def __post_init__(self) -> None:
        if not self.tolerance >= 0:
            raise ArgumentError(
                f"Claim {self.law!r}: tolerance must be at least 0, got {self.tolerance}"
            )

    @property
    def holds(self) -> bool:
        # A NaN is never within a tolerance.
        return bool(abs(self.measured - self.predicted) <= self.tolerance)

    def to_dict(self) -> dict[str, Any]:
        """The claim as JSON holds it; numbers to six digits, since more would be noise."""
        return {
            "law": self.law,
            "predicted": _six_digits(self.predicted),
            "measured": _six_digits(self.measured),
            "tolerance": float(self.tolerance),
            "holds": self.holds,
            "source": self.source,
        }


def _six_digits(number: float) -> float | None:
    rounded = float(f"{number:.6g}")
    return rounded if abs(rounded) < float("inf") else None  # JSON has no NaN, no infinity


def record(claims: Sequence[Claim], path: str | PathLike[str] = "claims.json") -> None:
    """Print the claims as a table and write them to a JSON file.

    Arguments:
        claims: in the order in which the lesson makes them.
        path: where the file goes, by default into the current folder, which for a notebook is
            its own.

    Raises:
        ArgumentError: no claim, or two of the same law.
    """
    laws = [claim.law for claim in claims]
    if not laws or len(set(laws)) < len(laws):
        raise ArgumentError("record: needs at least one claim, and each law once")
    text = json.dumps([c.to_dict() for c in claims], indent=1, ensure_ascii=False, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")
    print(table(claims))


def table(claims: Sequence[Claim]) -> str:
    """The claims as text within 96 columns.

    >>> print(table([Claim("1 + 1", 2, 2, 0, "arithmetic")]))
    law                                                   predicted  measured  tolerance  holds
    1 + 1                                                         2         2          0  yes
    """
    lines = [f"{'law':<52}{'predicted':>11}{'measured':>10}{'tolerance':>11}  holds"]
    for claim in claims:
        first, *more = textwrap.wrap(claim.law, 52)
        numbers = f"{claim.predicted:>11.4g}{claim.measured:>10.4g}{claim.tolerance:>11.4g}"
        lines.append(f"{first:<52}{numbers}  {'yes' if claim.holds else 'NO'}")
        lines.extend(more)
    return "\n".join(lines)
