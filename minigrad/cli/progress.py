"""How far a long command is: a bar in a terminal with tqdm, else a line now and then."""

from __future__ import annotations

import sys
from typing import Any, Self

LINES = 4  # per run, where there is no bar


class Progress:
    """Counts the steps of several runs, on stderr.

    Arguments:
        runs: how many there are.
        steps: of each.
    """

    def __init__(self, runs: int, steps: int) -> None:
        self.steps = steps
        self.label = ""
        self.bar = _bar(runs * steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def begin(self, label: str) -> None:
        """A run begins."""
        self.label = label
        if self.bar is not None:
            self.bar.set_description(label)

    def tell(self, step: int, loss: float) -> None:
        """A step of it is done."""
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{loss:.3g}", refresh=False)
            self.bar.update()
        elif step * LINES // self.steps > (step - 1) * LINES // self.steps:
            print(f"{self.label}: step {step} of {self.steps}, loss {loss:.3g}",
                  file=sys.stderr, flush=True)  # fmt: skip

    def skip(self, steps: int) -> None:
        """A run ended so many steps early."""
        if self.bar is not None:
            self.bar.update(steps)


def _bar(total: int) -> Any:
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, unit="step", leave=False)
