"""Recordings as plain files: one line of JSON per record, or a table of comma-separated values.

Numbers are written with all their digits, so that what is read back is equal to the last bit.
JSON knows neither NaN nor infinity: NaN is written as null, infinities as "inf" and "-inf".
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.probing.statistics import BINS
from minigrad.errors import ArgumentError

Plain = dict[str, Any]  # what `Recording.to_dict` returns

FORMAT = "minigrad recording 1"

# Columns of a CSV file that are no series.
KEYS = ("record", "step", "loss", "layer", "activation", "kind")


def plain_number(value: float) -> float | str | None:
    """A float as JSON can hold it."""
    if math.isfinite(value):
        return float(value)
    return None if math.isnan(value) else str(float(value))


def number(plain: Any) -> float:
    """What `plain_number` was given."""
    return math.nan if plain is None else float(plain)


def numbers(plain: Any) -> NDArray[np.float64]:
    """The same for a list of numbers."""
    return np.array([number(item) for item in plain], dtype=np.float64)


def trimmed(counts: NDArray[np.int32]) -> list[Any]:
    """The first bin that is not empty, and the counts from there to the last such."""
    filled = counts.nonzero()[0]
    if not filled.size:
        return [0, []]
    first, last = int(filled[0]), int(filled[-1])
    return [first, counts[first : last + 1].tolist()]


def filled(trimmed: Sequence[Any]) -> NDArray[np.int32]:
    first, counts = trimmed
    found = np.zeros(BINS, np.int32)
    found[first : first + len(counts)] = counts
    return found


def read(path: str | Path) -> Plain:
    """What was written to a file, by its suffix.

    Raises:
        ArgumentError: no such file, another suffix, or a file that is no recording.
    """
    if not isinstance(path, str | Path) or not Path(path).is_file():
        raise ArgumentError(
            f"load: there is no file {str(path)!r}; check the path of what to_jsonl or to_csv "
            "wrote, with its suffix"
        )
    readers = {".jsonl": read_jsonl, ".csv": read_csv}
    suffix = Path(path).suffix.lower()
    if suffix not in readers:
        raise ArgumentError(f"load: {path} ends in neither .jsonl nor .csv")
    try:
        return readers[suffix](path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError(
            f"load: {path} is no text, as a recording is ({error}); write one with to_jsonl or "
            "to_csv"
        ) from None


def place_of(record: int, path: str | Path) -> str:
    """Where a record stands, for messages."""
    if Path(path).suffix.lower() == ".jsonl":
        return f"line {record + 2} of {path}"  # counted from 1, and the first is the heading
    return f"record {record} of {path}"


# -- JSON lines ----------------------------------------------------------------------------------


def write_jsonl(plain: Plain, path: str | Path) -> None:
    """Write a heading and one line per record.

    Raises:
        ArgumentError: meta that JSON cannot hold.
    """
    heading = {"format": FORMAT, **{k: v for k, v in plain.items() if k != "records"}}
    try:  # before the file is opened, so that one that exists is not lost
        json.dumps(heading, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"to_jsonl: meta holds what JSON cannot ({error}); keep text, whole numbers, finite "
            "floats of Python, None, and lists and dicts of these"
        ) from None
    with Path(path).open("w", encoding="utf-8") as file:
        for line in (heading, *plain["records"]):
            file.write(json.dumps(line, allow_nan=False) + "\n")


def read_jsonl(path: str | Path) -> Plain:
    """What `write_jsonl` was given.

    Raises:
        ArgumentError: a file that is something else, or cut off.
    """
    lines = []
    with Path(path).open(encoding="utf-8") as file:
        for place, line in enumerate(file, start=1):
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ArgumentError(
                    f"load: line {place} of {path} is no JSON ({error.msg}); was the file cut off?"
                ) from None
    heading = lines[0] if lines else None
    if not isinstance(heading, dict) or heading.get("format") != FORMAT:
        raise ArgumentError(f"load: {path} is no recording; write one with to_jsonl")
    return {**{k: v for k, v in heading.items() if k != "format"}, "records": lines[1:]}


# -- CSV -----------------------------------------------------------------------------------------


def rows(plain: Plain) -> Iterator[dict[str, Any]]:
    """One flat dict for each record and layer; NaN and infinity as floats."""
    kinds = plain["meta"].get("kinds", {})
    for index, record in enumerate(plain["records"]):
        for place, layer in enumerate(plain["layers"]):
            keys = (index, record["step"], number(record["loss"]), layer,
                    plain["activations"][layer], str(kinds.get(layer, "")))  # fmt: skip
            series = {name: number(values[place]) for name, values in record["series"].items()}
            yield dict(zip(KEYS, keys, strict=True)) | series


def write_csv(plain: Plain, names: tuple[str, ...], path: str | Path) -> None:
    """Write a line for each record and layer, with the series of these names as columns."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*KEYS, *names], lineterminator="\n")
        writer.writeheader()
        for row in rows(plain):
            writer.writerow({key: _spelled(value) for key, value in row.items()})


def _spelled(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else repr(value)


def read_csv(path: str | Path) -> Plain:
    """What `write_csv` was given, without what a table has no place for: of meta all but the
    kinds of the layers, single calls, what was skipped, and histograms.

    A table without the column "kind" is read, too: there were none in earlier ones.

    Raises:
        ArgumentError: a table with other columns, without rows, or with something that is no
            number.
    """
    layers: dict[str, str] = {}
    kinds: dict[str, str] = {}
    records: dict[int, Plain] = {}
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        if missing := set(KEYS) - {"kind"} - set(columns):
            raise ArgumentError(
                f"load: {path} is no recording: it lacks the columns {', '.join(sorted(missing))}; "
                "write one with to_csv"
            )
        # pandas writes the numbers of its rows into a column without a name.
        names = [name for name in columns if name and name not in KEYS]
        for row in reader:
            try:
                if None in row.values():
                    raise ValueError("too few columns")
                layers[row["layer"]] = row["activation"]
                if row.get("kind"):
                    kinds[row["layer"]] = row["kind"]
                empty: Plain = {"series": {name: [] for name in names}}
                record = records.setdefault(int(row["record"]), empty)
                record |= {"step": int(row["step"]), "loss": _plain_cell(row["loss"])}
                for name in names:
                    record["series"][name].append(_plain_cell(row[name]))
            except (TypeError, ValueError) as error:
                raise ArgumentError(
                    f"load: line {reader.line_num} of {path} cannot be read ({error}); was the "
                    "file cut off?"
                ) from None
    if not layers:
        raise ArgumentError(
            f"load: {path} has no rows, and a table names its layers in them alone; a recording "
            "without records keeps its layers in the file of to_jsonl"
        )
    return {
        "layers": list(layers), "activations": layers, "skipped": {},
        "meta": {"kinds": kinds} if kinds else {},
        "records": list(records.values()),
    }  # fmt: skip


def _plain_cell(text: str) -> float | str | None:
    return plain_number(float(text)) if text else None
