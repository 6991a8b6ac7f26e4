"""The command `minigrad`. Each subcommand is one function that declares it and one that runs it.

What is asked for is checked before anything is computed; a wrong value ends the command with one
line that says what would be right, and exit code 2.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import minigrad
from minigrad.course import copy_lessons, open_jupyterlab
from minigrad.diagnostics import DecayConfig, measure_decay, plots
from minigrad.diagnostics.decay import DTYPES, check_config
from minigrad.diagnostics.inputs import NAMES, load_inputs
from minigrad.diagnostics.report import named_in_table, one_table, to_dict
from minigrad.errors import ArgumentError, MinigradError
from minigrad.models import ACTIVATIONS, INITS, NORMS

FIGURE_FORMATS = (".png", ".svg", ".pdf")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Arguments:
        arguments: the words after `minigrad`; by default those of the command line.

    Returns:
        The exit code: 0, or 2 where what was asked for cannot be done. Where already the words
        themselves are wrong, `argparse` ends the process with 2.
    """
    parser = _Parser(
        prog="minigrad",
        description="Build deep networks and see where their gradients die.",
    )
    parser.add_argument("--version", action="version", version=f"minigrad {minigrad.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="{decay,lessons}", required=True)
    _declare_decay(commands)
    _declare_lessons(commands)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.exit(2, f"{options.command}: unknown {' '.join(unknown)}; see "
                       f"`{options.command} --help`\n")  # fmt: skip
    try:
        options.run(options)
    except (MinigradError, OSError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"{options.command}: not enough memory: {error}; ask for less", file=sys.stderr)
        return 2
    return 0


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


# -- minigrad decay --------------------------------------------------------------------------


def _declare_decay(commands: Any) -> None:
    parser = commands.add_parser(
        "decay",
        help="measure and draw the gradient of every layer of a fresh deep network",
        description="Measure how large the gradient is in every layer of a deep network as it was "
        "initialized, for every combination of what is asked for; print a table for each, and "
        "draw them. LIST is one value or several, with commas between. 'per layer' is the factor "
        "from one layer to the next towards the input. The verdict compares dL/dz of the first "
        "hidden layer with that of the last: below 1/20 vanishing, above 20 exploding, else "
        "healthy.",
    )
    lists = (
        ("--activation", _names("activation", ACTIVATIONS), "sigmoid,tanh,relu",
         f"of {', '.join(ACTIVATIONS)}"),
        ("--init", _names("init", INITS), "default,xavier,he",
         f"of {', '.join(INITS)}; default is PyTorch's"),
        ("--norm", _names("norm", ("none", *NORMS)), "none", f"of none, {', '.join(NORMS)}"),
        ("--depth", _numbers("depth", 3), "50", "number of Linear layers, at least 3"),
        ("--width", _numbers("width", 1), "128", "width of the hidden layers"),
    )  # fmt: skip
    for flag, kind, default, meaning in lists:
        parser.add_argument(
            flag, type=kind, default=default, metavar="LIST",
            help=f"{meaning} (default: {default})",
        )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=_number("batch size", 1), default=128, metavar="N",
        help="examples per seed (default: 128)",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=_seeds, default="3", metavar="N|LIST",
        help="N for the seeds 0 to N-1, or a list of seeds such as 4,7 (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--data", default="digits", metavar="NAME",
        help=f"{', '.join(NAMES)}, or an .npz file with arrays x and y (default: digits)",
    )  # fmt: skip
    parser.add_argument(
        "--dtype", type=_name("dtype", DTYPES), default="float32", metavar="NAME",
        help=f"{' or '.join(DTYPES)} (default: float32)",
    )  # fmt: skip
    parser.add_argument(
        "--save", type=_figure_path, default="decay.png", metavar="FILE",
        help="where the figure goes: .png, .svg or .pdf (default: decay.png)",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=_output_path, metavar="FILE", help="write the numbers there, too"
    )
    parser.set_defaults(run=_run_decay, command=parser.prog)


def _run_decay(options: argparse.Namespace) -> None:
    if options.json is not None and Path(options.json).resolve() == Path(options.save).resolve():
        raise ArgumentError(f"--save and --json name the same file {str(options.json)!r}")
    data = load_inputs(options.data)
    configs = [
        DecayConfig(
            depth, width, activation, init, norm,
            options.batch_size, options.seeds, options.dtype, options.data,
        )
        for activation, init, norm, depth, width in itertools.product(
            options.activation, options.init, options.norm, options.depth, options.width
        )
    ]  # fmt: skip
    for config in configs:
        check_config(config, len(data.x))

    names = named_in_table(configs)
    results = []
    for config in configs:
        results.append(measure_decay(config, data))
        print(one_table(results[-1], names), end="\n\n", flush=True)

    _draw(results, options.save)
    print(f"figure: {options.save.resolve()}")
    if options.json is not None:
        text = json.dumps([to_dict(result) for result in results], indent=1, allow_nan=False)
        options.json.write_text(text + "\n", encoding="utf-8")
        print(f"numbers: {options.json.resolve()}")


def _draw(results: Any, path: Path) -> None:
    import matplotlib.pyplot

    matplotlib.use("Agg")  # a terminal may have no screen
    figure = plots.decay_panels(results)
    figure.savefig(path, dpi=150)
    matplotlib.pyplot.close(figure)


# -- minigrad lessons ------------------------------------------------------------------------


def _declare_lessons(commands: Any) -> None:
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
    parser.set_defaults(run=_run_lessons, command=parser.prog)


def _run_lessons(options: argparse.Namespace) -> None:
    for line in copy_lessons(options.folder):
        print(line)
    print(f"lessons: {options.folder.resolve()}", flush=True)
    if not options.no_open:
        open_jupyterlab(options.folder)


# -- reading values --------------------------------------------------------------------------


def _name(what: str, valid: Any) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in valid:
            raise argparse.ArgumentTypeError(
                f"unknown {what} {text!r}; use one of {', '.join(valid)}"
            )
        return text

    return read


def _number(what: str, least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"{what} must be a whole number of at least {least}, got {text!r}"
            )
        return int(text)

    return read


def _list_of(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    # The same value twice would draw one curve over another.
    return lambda text: list(dict.fromkeys(read(item.strip()) for item in text.split(",")))


def _names(what: str, valid: Any) -> Callable[[str], list[str]]:
    return _list_of(_name(what, valid))


def _numbers(what: str, least: int) -> Callable[[str], list[int]]:
    return _list_of(_number(what, least))


def _seeds(text: str) -> tuple[int, ...]:
    if "," in text:
        return tuple(_list_of(_number("seed", 0))(text))
    return tuple(range(_number("the number of seeds", 1)(text)))


def _output_path(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"there is no folder {str(path.parent)!r}; make it first, or name another"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"no permission to write {text!r}; name another place")
    return path


def _figure_path(text: str) -> Path:
    path = _output_path(text)
    if path.suffix.lower() not in FIGURE_FORMATS:
        raise argparse.ArgumentTypeError(
            f"cannot write a figure as {text!r}; end the name in one of {', '.join(FIGURE_FORMATS)}"
        )
    return path
