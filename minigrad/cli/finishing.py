"""What a long command does when Ctrl-C stops it: keep what was finished."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sized
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


def until_interrupted(items: Iterable[Item], work: Callable[[Item], Found]) -> list[Found]:
    """What `work` gives for each item, up to the one during which Ctrl-C was pressed."""
    found: list[Found] = []
    try:
        for item in items:
            found.append(work(item))
    except KeyboardInterrupt:
        pass
    return found


def exit_code(command: str, finished: Sized, asked: Sized) -> int:
    """0; or 130, having said what is missing."""
    if len(finished) == len(asked):
        return 0
    kept = "they are above and in the files" if finished else "nothing was written"
    print(
        f"{command}: stopped by Ctrl-C: {len(finished)} of {len(asked)} configurations were "
        f"finished; {kept}",
        file=sys.stderr,
    )
    return 130
