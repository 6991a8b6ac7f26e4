"""`python -m minigrad.course build FOLDER...`: make and execute the notebooks of lessons."""

from __future__ import annotations

import argparse
from pathlib import Path

from minigrad.course.build import build
from minigrad.errors import ArgumentError


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.course", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    building = commands.add_parser("build", help="make lesson.ipynb from lesson.py, executed")
    building.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    try:
        for folder in options.folders:
            path = build(folder)
            print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")
    except ArgumentError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":  # the tests' doctest run imports every module
    main()
