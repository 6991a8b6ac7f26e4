"""The command `minigrad`. Each subcommand is a file: one function declares it and one runs it.

What is asked for is checked before anything is computed; a wrong value ends the command with one
line that says what would be right, and exit code 2.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import NoReturn

import minigrad
from minigrad.cli import compare, decay, doctor, lessons
from minigrad.errors import MinigradError

INTERRUPTED = 130  # as shells say it: 128 + the number of the signal

# What other programs call an option.
_SYNONYMS = dict.fromkeys(("-o", "--out", "--output", "--file", "--figure", "--png"), "--save") | {
    "--learning-rate": "--lr", "--layers": "--depth", "--epochs": "--steps",
    "--overwrite": "--force",
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Arguments:
        arguments: the words after `minigrad`; by default those of the command line.

    Returns:
        The exit code: 0; 1 where `doctor` found something broken; 2 where what was asked for
        cannot be done; 130 after Ctrl-C. Where already the words themselves are wrong,
        `argparse` ends the process with 2.
    """
    parser = _Parser(
        prog="minigrad",
        description="Build deep networks and see where their gradients die.",
    )
    parser.add_argument("--version", action="version", version=f"minigrad {minigrad.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="{decay,compare,lessons,doctor}")
    for command in (decay, compare, lessons, doctor):
        command.declare(commands)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = getattr(options, "command", parser.prog)
        meant = _meant(unknown, commands.choices.get(name.partition(" ")[2], parser))
        parser.exit(2, f"{name}: unknown {' '.join(unknown)}; {meant}see `{name} --help`\n")
    if not hasattr(options, "run"):
        parser.print_help()
        return 0
    try:
        code: int = options.run(options)
        return code
    except (MinigradError, OSError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"{options.command}: not enough memory: {error}; ask for less", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{options.command}: stopped by Ctrl-C; no file was left half-written",
              file=sys.stderr)  # fmt: skip
        return INTERRUPTED


def _meant(unknown: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """The option that a word which is none may stand for, as part of a sentence; or ""."""
    options = [o for action in parser._actions for o in action.option_strings if o[:2] == "--"]
    for word in unknown:
        asked = word.partition("=")[0]
        near = [_SYNONYMS.get(asked, "")]
        if near[0] not in options:
            near = difflib.get_close_matches(asked, options, n=1, cutoff=0.75)
        if word.startswith("-") and near:
            return f"did you mean {near[0]}? "
    return ""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")
