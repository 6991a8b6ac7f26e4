"""minigrad doctor: what minigrad finds on this machine, what is wrong with it, and the cure."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from minigrad.cli.checks import CHECKS, Finding
from minigrad.cli.writing import add_outputs, check_outputs, say, write_text

MARKS = {"ok": "ok", "missing": "-", "warning": "!", "broken": "BROKEN"}


def declare(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "doctor",
        help="say what minigrad finds on this machine, what is wrong with it, and the cure",
        description="Look at Python, NumPy, BLAS and its threads, GPU, CuPy, Matplotlib, "
        "JupyterLab and the extras. The exit code is 1 if something is broken; what is merely "
        "not installed is not.",
    )
    add_outputs(parser, figure=None)
    parser.set_defaults(run=run, command=parser.prog)


def run(options: argparse.Namespace) -> int:
    """Look, and say what was found."""
    check_outputs(options)
    found: dict[str, list[Finding]] = {}
    for title, check in CHECKS.items():
        found[title] = list(check())
        say(_section(title, found[title]), end="\n\n")
    everything = [finding for findings in found.values() for finding in findings]
    say(_summary(everything))
    if options.json is not None:
        plain = {title: [f._asdict() for f in findings] for title, findings in found.items()}
        write_text(json.dumps(plain, indent=1) + "\n", options.json)
        say(f"findings: {options.json.resolve()}")
    return int(any(finding.state == "broken" for finding in everything))


def _section(title: str, findings: list[Finding]) -> str:
    lines = [title]
    for state, what, told, cure in findings:
        head = f"  {MARKS[state]:<7}{what:<14}"
        rest = " " * len(head)
        lines.append(_wrapped(head, rest, told))
        if cure:
            lines.append(_wrapped(f"{rest}-> ", f"{rest}   ", cure))
    return "\n".join(lines)


def _wrapped(first: str, rest: str, text: str) -> str:
    # A path or a command must stay in one piece, to be copied.
    return textwrap.fill(
        text, 80, initial_indent=first, subsequent_indent=rest, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _summary(findings: list[Finding]) -> str:
    broken, warned = (
        [f.what for f in findings if f.state == state] for state in ("broken", "warning")
    )
    told = [f"broken: {', '.join(broken)}"] if broken else ["Nothing is broken."]
    if warned:
        told.append(f"to look at: {', '.join(warned)}")
    return "\n".join(told)
