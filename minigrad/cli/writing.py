"""What a command prints, and the files it writes.

Files are checked before anything is computed, and whole or not at all.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minigrad.errors import ArgumentError

FIGURE_FORMATS = (".png", ".svg", ".pdf")


def say(text: str, end: str = "\n") -> None:
    """Print at once; nothing where nobody reads on, as after `| head -1`.

    The command goes on then: its files are still wanted.
    """
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        # Also for what is left in the buffer, which Python writes when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def add_outputs(parser: Any, figure: str | None) -> None:
    """Add --save (with `figure` as its default; None: no figure), --json and --force."""
    if figure is not None:
        parser.add_argument(
            "--save", type=_figure_path, default=figure, metavar="FILE",
            help=f"where the figure goes: .png, .svg or .pdf (default: {figure})",
        )  # fmt: skip
    parser.add_argument(
        "--json", type=_output_path, metavar="FILE", help="write the numbers there, too"
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def check_outputs(options: argparse.Namespace) -> None:
    """Raise an ArgumentError if a file would be lost."""
    named = {flag: getattr(options, flag, None) for flag in ("save", "json")}
    paths = {flag: path for flag, path in named.items() if path is not None}
    if len({path.resolve() for path in paths.values()}) < len(paths):
        raise ArgumentError(f"--save and --json name the same file {str(paths['json'])!r}")
    for flag, path in paths.items():
        # What is no regular file, /dev/stdout say, cannot be lost.
        if path.is_file() and not options.force:
            raise ArgumentError(
                f"{str(path)!r} exists; --force replaces it, --{flag} names another file"
            )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place once all is written.

    Where writing fails or is interrupted, `path` stays as it was.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()  # a link goes on pointing there
    part = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write a text file."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_figure(figure: Any, path: Path) -> None:
    """Write a figure in the format that the suffix names, and close it."""
    import matplotlib.pyplot as plt

    try:
        with replacing(path) as part:
            figure.savefig(part, dpi=150)
    finally:
        plt.close(figure)


def use_no_screen() -> None:
    """Draw to files only; a terminal may have no screen."""
    import matplotlib

    matplotlib.use("Agg")


def _output_path(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"there is no folder {str(path.parent)!r}; make it first, or name another"
        )
    special = path.exists() and not path.is_file()
    if not os.access(path if special else path.resolve().parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"no permission to write {text!r}; name another place")
    return path


def _figure_path(text: str) -> Path:
    path = _output_path(text)
    if path.suffix.lower() not in FIGURE_FORMATS:
        raise argparse.ArgumentTypeError(
            f"cannot write a figure as {text!r}; end the name in one of {', '.join(FIGURE_FORMATS)}"
        )
    return path
