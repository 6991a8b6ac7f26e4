"""How the words of a command line are read: names, numbers, lists of them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.models.names import fill

Reader = Callable[[str], Any]


def name(what: str, valid: Iterable[str]) -> Reader:
    """Reads one of these names."""
    valid = list(valid)

    def read(text: str) -> str:
        if text not in valid:
            raise argparse.ArgumentTypeError(
                f"unknown {what} {text!r}; use one of {', '.join(valid)}"
            )
        return text

    return read


def init(text: str) -> str:
    """Reads the name of an initialization, which may hold a number: normal:0.01."""
    try:
        fill("", text)
    except ArgumentError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix(": ")) from None
    return text


def number(what: str, least: int) -> Reader:
    """Reads a whole number."""

    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"{what} must be a whole number of at least {least}, got {text!r}"
            )
        return int(text)

    return read


def positive(what: str) -> Reader:
    """Reads a finite number above 0."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{what} must be a number above 0, got {text!r}")
        return value

    return read


def list_of(read: Reader) -> Reader:
    """Reads several values with commas between."""
    # The same value twice would draw one curve over another.
    return lambda text: list(dict.fromkeys(read(item.strip()) for item in text.split(",")))


def seeds(text: str) -> tuple[int, ...]:
    """Reads N for the seeds 0 to N - 1, or a list of seeds."""
    if "," in text:
        return tuple(list_of(number("seed", 0))(text))
    return tuple(range(number("the number of seeds", 1)(text)))
