"""`python -m minigrad.course`: build the notebooks of lessons, and check what they claim."""

from __future__ import annotations

import argparse
from pathlib import Path

from minigrad.course.build import build
from minigrad.course.check import check
from minigrad.course.copies import lessons_folder
from minigrad.errors import ArgumentError


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.course", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    building = commands.add_parser("build", help="make lesson.ipynb from lesson.py, executed")
    building.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    building.set_defaults(run=run_build)
    checking = commands.add_parser("check", help="execute notebooks elsewhere; do all claims hold?")
    checking.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", help="default: every installed lesson"
    )
    checking.add_argument("--fast", action="store_true", help="fewer seeds and steps, same laws")
    checking.set_defaults(run=run_check)
    options = parser.parse_args()
    try:
        parser.exit(options.run(options))
    except ArgumentError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


def run_build(options: argparse.Namespace) -> int:
    """Build one notebook after the other."""
    for folder in options.folders:
        path = build(folder)
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Check one lesson after the other; 1 where any of them fails."""
    folders = options.folders or sorted(
        path.parent for path in lessons_folder().glob("*/lesson.py")
    )
    failed = False
    for folder in folders:
        outcome = check(folder, fast=options.fast)
        print(outcome, flush=True)
        failed |= bool(outcome.problems)
    return int(failed)


if __name__ == "__main__":  # the tests' doctest run imports every module
    main()
