"""How long minigrad takes beside NumPy written by hand, PyTorch, JAX, autograd and DeZero.

Each runs in a process of its own, all on one core and one thread of BLAS, and they take turns.
Before any time is believed, all must have reached the same losses. Told are medians of processor
time. `limit` is NumPy written by hand; columns headed `x` are minigrad's time as a multiple of
theirs, with what is wanted in brackets.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import figure
from .contenders import CONTENDERS
from .machine import describe
from .report import Report
from .sections import SECTIONS, Pace


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="under a minute, instead of six")
    parser.add_argument(
        "--only", type=sections, default=list(SECTIONS), metavar="A,B", help=", ".join(SECTIONS)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw ratio against width here")
    args = parser.parse_args()
    if args.figure and "grid" not in args.only:
        parser.error("--figure draws the section grid, which --only leaves out")

    about, report = describe(), Report()
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    missing = dict.fromkeys(c.package for c in CONTENDERS.values() if not c.installed)
    if missing:
        print(f"Not installed, so left out: {', '.join(missing)}.")
    pace = Pace(seconds=0.8, quick=True) if args.quick else Pace()
    for name in args.only:
        SECTIONS[name](report, pace)
    print(f"\n{report.verdict()}")
    if args.json:
        args.json.write_text(
            json.dumps({"machine": about, "tables": report.tables}, indent=1) + "\n"
        )
    if args.figure:
        figure.save(report.tables, args.figure)
    return 1 if report.failures else 0


def sections(text: str) -> list[str]:
    names = text.split(",")
    unknown = set(names) - set(SECTIONS)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(unknown)}; use {', '.join(SECTIONS)}"
        )
    return names


if __name__ == "__main__":
    sys.exit(main())
