"""The progress bar of a training, where there is someone to see it."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

from minigrad.errors import ArgumentError

Item = TypeVar("Item")


class Silence:
    """Shows nothing; what stands in for a bar where there is none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass the items on, one step of the bar for each."""
        return iter(items)

    def show(self, row: Mapping[str, float]) -> None:
        """Write the figures of an epoch beside the bar."""


class Bar(Silence):
    """A tqdm bar over all batches of all epochs."""

    def __init__(self, bar: Any, epochs: int) -> None:
        self.bar, self.epochs = bar, epochs

    def __exit__(self, *exc: object) -> None:
        self.bar.close()

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            yield item
            self.bar.update()

    def show(self, row: Mapping[str, float]) -> None:
        self.bar.set_description(f"epoch {row['epoch']}/{self.epochs}")
        self.bar.set_postfix({k: f"{v:.4g}" for k, v in row.items() if k != "epoch"})


def progress_bar(
    epochs: int, data: Any, wanted: bool | None, asked: str = "fit", unit: str = "batch"
) -> Silence:
    """A bar over `epochs` times the batches of `data`, if wanted.

    Arguments:
        asked: the function that a message is to name.
        unit: what `data` is made of.
        wanted: None leaves it to whether there is a terminal or notebook, and tqdm.

    Raises:
        ArgumentError: wanted, but tqdm is not installed.
    """
    if wanted is False or (wanted is None and not _has_viewer()):
        return Silence()
    try:
        from tqdm import tqdm
    except ImportError:
        if wanted is None:
            return Silence()
        raise ArgumentError(
            f"{asked}: the progress bar needs tqdm; install it with "
            "pip install 'minigrad[progress]', or pass progress=False"
        ) from None
    total = epochs * len(data) if hasattr(data, "__len__") else None
    return Bar(tqdm(total=total, leave=False, unit=unit), epochs)


def in_notebook() -> bool:
    """Whether this runs in a Jupyter notebook."""
    return "ipykernel" in sys.modules and hasattr(builtins, "__IPYTHON__")


def _has_viewer() -> bool:
    return in_notebook() or sys.stderr.isatty()
