"""minigrad lessons: the notebooks, copied to a folder and opened there."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minigrad.cli.writing import say
from minigrad.course import copy_lessons, open_jupyterlab


def declare(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "lessons",
        help="copy the lessons' notebooks to a folder of yours and open JupyterLab there",
        description="Copy the notebooks of the lessons, without their outputs, to a folder of "
        "yours and open JupyterLab there. Never overwrites a notebook that you edited; run it "
        "again after an update to get what is new.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default="minigrad-lessons", metavar="DIR",
        help="where to (default: minigrad-lessons)",
    )  # fmt: skip
    parser.add_argument("--no-open", action="store_true", help="copy only")
    parser.set_defaults(run=run, command=parser.prog)


def run(options: argparse.Namespace) -> int:
    """Copy, say what was done, and open."""
    for line in copy_lessons(options.folder):
        say(line)
    say(f"lessons: {options.folder.resolve()}")
    if not options.no_open:
        open_jupyterlab(options.folder)
    return 0
