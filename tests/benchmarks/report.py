"""What was found: printed row by row as it comes in, and kept as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from .race import CannotBeCompared


@dataclass(frozen=True)
class Check:
    """A number that is wanted to be at most so large.

    Attributes:
        title: what it is; heads a column.
        value: what was found.
        at_most: what is wanted; None: nothing, it is only told.
    """

    title: str
    value: float
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        """ "ok", "short", or nothing where nothing is wanted."""
        if self.at_most is None:
            return ""
        return "ok" if self.value <= self.at_most else "short"

    def __str__(self) -> str:
        wanted = "" if self.at_most is None else f"{self.verdict:>6} ({self.at_most:.2f})"
        return f"{self.value:.2f}{wanted:>13}"


class Report:
    """The tables of one run.

    Attributes:
        tables: a dict each: key, title, unit, and rows. A row has a title, the fields of its case,
            values (seconds or bytes, by contender) and checks.
        failures: what could not be measured, and why.
    """

    def __init__(self) -> None:
        self.tables: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self._columns: Mapping[str, str] = {}

    def table(
        self,
        key: str,
        title: str,
        columns: Mapping[str, str],
        checks: Sequence[str],
        unit: str = "s",
    ) -> None:
        """Begin a table: its columns' keys and headings, and the titles of its checks."""
        self.tables.append({"key": key, "title": title, "unit": unit, "rows": []})
        self._columns = columns
        print(f"\n{title}")
        self._print("", list(columns.values()), [f"{check:<17}" for check in checks])

    def row(
        self, title: str, values: Mapping[str, float], checks: Sequence[Check], case: Any = None
    ) -> None:
        """Add a row to the table begun last."""
        table = self.tables[-1]
        table["rows"].append(
            {
                "title": title,
                "case": None if case is None else asdict(case),
                "values": dict(values),
                "checks": [asdict(check) | {"verdict": check.verdict} for check in checks],
            }
        )
        cells = [
            with_unit(values[key], table["unit"]) if key in values else "-" for key in self._columns
        ]
        self._print(title, cells, [str(check) for check in checks])

    def _print(self, title: str, cells: Sequence[str], checks: Sequence[str]) -> None:
        widths = [max(9, len(heading)) for heading in self._columns.values()]
        columns = [f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)]
        print("  ".join([f"{title:<14}", *columns, *(f"  {c:>17}" for c in checks)]), flush=True)

    @contextmanager
    def attempt(self, title: str) -> Iterator[None]:
        """Say so and go on if what is within cannot be measured."""
        try:
            yield
        except CannotBeCompared as error:
            self.failures.append(f"{title}: {error}")
            print(f"{title}: left out. {error}")

    def verdict(self) -> str:
        """How many of the wanted numbers were reached."""
        found = [c["verdict"] for t in self.tables for row in t["rows"] for c in row["checks"]]
        wanted = [verdict for verdict in found if verdict]
        left_out = f"; {len(self.failures)} left out" if self.failures else ""
        return f"{wanted.count('ok')} of {len(wanted)} wanted numbers are reached{left_out}."


def with_unit(value: float, unit: str) -> str:
    """Three digits: 0.000468 of "s" is 468 us."""
    factor, prefix = next(
        (f, p) for f, p in ((1e6, "M"), (1, ""), (1e-3, "m"), (0, "u")) if value >= f
    )
    value /= factor or 1e-6
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {prefix}{unit}"
