"""minigrad decay: the gradient of every layer of fresh deep networks."""

from __future__ import annotations

import argparse
import itertools
import json
from typing import Any

from minigrad.cli import values
from minigrad.cli.finishing import exit_code, until_interrupted
from minigrad.cli.writing import (
    add_outputs,
    check_outputs,
    say,
    use_no_screen,
    write_figure,
    write_text,
)
from minigrad.data import Dataset, standardize
from minigrad.diagnostics import DecayConfig, DecayResult, measure_decay, plots
from minigrad.diagnostics.decay import DTYPES, check_config, network_and_batch
from minigrad.diagnostics.inputs import NAMES, load_inputs
from minigrad.diagnostics.judging.diagnosis import diagnose
from minigrad.diagnostics.report import named_in_table, one_table, to_dict
from minigrad.models import ACTIVATIONS, INITS
from minigrad.models.mlp import RESIDUALS
from minigrad.models.names import NORMS, WEIGHT_NORMS
from minigrad.ops.creation import tensor

ALL_NORMS = ("none", *NORMS, *WEIGHT_NORMS)


def declare(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "decay",
        help="measure and draw the gradient of every layer of a fresh deep network",
        description="Measure how large the gradient is in every layer of a deep network as it was "
        "initialized, for every combination of what is asked for; print a table for each, and "
        "draw them. LIST is one value or several, with commas between. 'per layer' is the factor "
        "from one layer to the next towards the input; of residual networks 'per block', from one "
        "block to the next. The verdict compares dL/dz of the first hidden layer with that of the "
        "last, or of the last block: below 1/20 vanishing, above 20 exploding, else "
        "healthy. The dotted line is what mean-field theory says of dL/dz. Ctrl-C keeps the "
        "configurations that were finished.",
    )
    add_network(parser, init="default,xavier,he", activation="sigmoid,tanh,relu", depth="50")
    parser.add_argument(
        "--batch-size", type=values.number("batch size", 1), default=128, metavar="N",
        help="examples per seed (default: 128)",
    )  # fmt: skip
    add_seeds(parser, "3")
    add_data(parser)
    parser.add_argument(
        "--dtype", type=values.name("dtype", DTYPES), default="float32", metavar="NAME",
        help=f"{' or '.join(DTYPES)} (default: float32)",
    )  # fmt: skip
    parser.add_argument(
        "--verdict",
        action="store_true",
        help="print what ails every layer of the first seed's network, and what to try",
    )
    add_outputs(parser, "decay.png")
    parser.set_defaults(run=run, command=parser.prog)


def add_network(parser: Any, init: str, activation: str, depth: str) -> None:
    """Add the options that say which networks, with these defaults."""
    lists = (
        ("--activation", values.name("activation", ACTIVATIONS), activation,
         f"of {', '.join(ACTIVATIONS)}"),
        ("--init", values.init, init,
         f"of {', '.join(INITS)}, or with a number, as normal:0.01; default is PyTorch's"),
        ("--norm", values.name("norm", ALL_NORMS), "none", f"of {', '.join(ALL_NORMS)}"),
        ("--residual", values.name("residual", RESIDUALS), "none",
         f"of {', '.join(RESIDUALS)}: a way around every two Linear layers, before or after the "
         "activation"),
        ("--depth", values.number("depth", 3), depth, "number of Linear layers, at least 3"),
        ("--width", values.number("width", 1), "128", "width of the hidden layers"),
    )  # fmt: skip
    for flag, kind, default, meaning in lists:
        parser.add_argument(
            flag, type=values.list_of(kind), default=default, metavar="LIST",
            help=f"{meaning} (default: {default})",
        )  # fmt: skip


def add_seeds(parser: Any, default: str) -> None:
    """Add --seeds."""
    parser.add_argument(
        "--seeds", type=values.seeds, default=default, metavar="N|LIST",
        help=f"N for the seeds 0 to N-1, or a list of seeds such as 4,7 (default: {default})",
    )  # fmt: skip


def add_data(parser: Any) -> None:
    """Add --data."""
    parser.add_argument(
        "--data", default="digits", metavar="NAME",
        help=f"{', '.join(NAMES)}, or an .npz file with arrays x and y (default: digits)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Measure, print and draw."""
    data = load_inputs(options.data)
    configs = [
        DecayConfig(
            depth, width, activation, init, norm,
            options.batch_size, options.seeds, options.dtype, options.data, residual,
        )
        for activation, init, norm, residual, depth, width in itertools.product(
            options.activation, options.init, options.norm, options.residual, options.depth,
            options.width,
        )
    ]  # fmt: skip
    for config in configs:
        check_config(config, len(data.x))
    check_outputs(options)
    names = named_in_table(configs)

    def measure(config: DecayConfig) -> DecayResult:
        result = measure_decay(config, data)
        tables = [one_table(result, names, "gradient" if options.verdict else "")]
        if options.verdict:  # of all that may ail a network, so it may well be another
            tables.append(_verdicts(config, data))
        say("\n".join(tables), end="\n\n")
        return result

    results = until_interrupted(configs, measure)
    if results:
        use_no_screen()
        write_figure(plots.decay_panels(results), options.save)
        say(f"figure: {options.save.resolve()}")
        if options.json is not None:
            found = [to_dict(result) for result in results]
            write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", options.json)
            say(f"numbers: {options.json.resolve()}")
    return exit_code(options.command, results, configs)


def _verdicts(config: DecayConfig, data: Dataset) -> str:
    """What `diagnose` says of the network of the first seed, layer by layer."""
    x = standardize(data.x).astype(config.dtype)
    model, x, y = network_and_batch(config, config.seeds[0], x, data.y)
    return diagnose(model, (tensor(x), tensor(y))).table()
