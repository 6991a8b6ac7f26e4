"""minigrad compare: a few configurations trained, and their dashboards side by side."""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from minigrad.cli import values
from minigrad.cli.decay import add_data, add_network, add_seeds
from minigrad.cli.finishing import exit_code, until_interrupted
from minigrad.cli.progress import Progress
from minigrad.cli.training import CLIPS, OPTIMIZERS, TrainConfig, Trained, train
from minigrad.cli.writing import (
    add_outputs,
    check_outputs,
    say,
    use_no_screen,
    write_figure,
    write_text,
)
from minigrad.data import Dataset
from minigrad.diagnostics import DecayConfig, plots
from minigrad.diagnostics.decay import check_config
from minigrad.diagnostics.inputs import load_inputs
from minigrad.errors import ArgumentError

MOST = 8  # configurations: more than that nobody can compare


def declare(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "compare",
        help="train a few deep networks and draw what happened in them side by side",
        description="Train a network for every combination of what is asked for, on four fifths "
        "of the data; print a table, and draw loss, gradients, updates, dead and saturated units "
        "of all of them side by side. LIST is one value or several, with commas between. The "
        "verdict is that of `diagnose` on the whole training; 'per layer' is what dL/dz "
        "was multiplied by at its end from one layer to the next towards the input. Ctrl-C keeps "
        "the configurations that were finished.",
    )
    add_network(parser, init="xavier,he", activation="relu", depth="20")
    usual = ", ".join(f"{name} {lr:g}" for name, (_, lr) in OPTIMIZERS.items())
    parser.add_argument(
        "--optimizer", type=values.list_of(values.name("optimizer", OPTIMIZERS)), metavar="LIST",
        default="momentum", help=f"of {', '.join(OPTIMIZERS)} (default: momentum)",
    )  # fmt: skip
    parser.add_argument(
        "--lr", type=values.list_of(values.positive("learning rate")), metavar="LIST",
        help=f"learning rates (default: by optimizer: {usual})",
    )  # fmt: skip
    parser.add_argument(
        "--clip", type=values.list_of(_clip), default="none", metavar="LIST",
        help="how gradients are clipped: none; norm:MAX, all of them together; value:MAX, each "
        "element; adaptive:SHARE, each unit to a share of its weights (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=values.number("the number of steps", 1), default=300, metavar="N",
        help="updates of each network (default: 300)",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=values.number("batch size", 1), default=64, metavar="N",
        help="examples per update (default: 64)",
    )  # fmt: skip
    add_seeds(parser, "1")
    add_data(parser)
    add_outputs(parser, "compare.png")
    parser.set_defaults(run=run, command=parser.prog)


def run(options: argparse.Namespace) -> int:
    """Train, print and draw."""
    data = load_inputs(options.data)
    configs = _configs(options)
    _check(configs, options.seeds, data)
    check_outputs(options)
    labels = dict(zip(configs, _labels(configs), strict=True))

    with Progress(len(configs) * len(options.seeds), options.steps) as progress:

        def train_seeds(config: TrainConfig) -> list[Trained]:
            found = []
            for seed in options.seeds:
                of_seed = f", seed {seed}" if len(options.seeds) > 1 else ""
                progress.begin(labels[config] + of_seed)
                found.append(train(config, seed, data, progress.tell))
                if (step := found[-1].diverged) is not None:
                    progress.skip(config.steps - step)
                    found[-1].recording.meta["diverged"] = step  # of which there may be no record
                found[-1].recording.meta["name"] = labels[config]
            return found

        results = until_interrupted(configs, train_seeds)
    if results:
        use_no_screen()
        say(table({labels[trained[0].config]: trained for trained in results}), end="\n\n")
        write_figure(_figure(results, labels), options.save)
        say(f"figure: {options.save.resolve()}")
        if options.json is not None:
            # One run a line: a recording is long.
            lines = [json.dumps(t.to_dict(), allow_nan=False) for seeds in results for t in seeds]
            write_text("[\n" + ",\n".join(lines) + "\n]\n", options.json)
            say(f"numbers: {options.json.resolve()}")
    return exit_code(options.command, results, configs)


def table(results: dict[str, list[Trained]]) -> str:
    """A line per configuration: means over its seeds; the verdicts of all of them."""
    width = max(map(len, results))
    lines = [f"{'':<{width}}  train loss  test accuracy  per layer  verdict"]
    for label, seeds in results.items():
        loss, right, factor = (
            float(np.mean([getattr(trained, what) for trained in seeds]))
            for what in ("train_loss", "test_accuracy", "factor_per_layer")
        )
        verdicts = "; ".join(dict.fromkeys(map(_verdict, seeds)))
        lines.append(
            f"{label:<{width}}  {_cell(loss, '.3g'):>10}  {_cell(right, '.1%'):>13}  "
            f"{_cell(factor, '.3g'):>9}  {verdicts}"
        )
    return "\n".join(lines)


def _verdict(trained: Trained) -> str:
    lost = "" if trained.diverged is None else f", loss lost at step {trained.diverged}"
    return trained.verdict + lost


def _cell(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"


def _figure(results: Sequence[list[Trained]], labels: dict[TrainConfig, str]) -> Any:
    runs = {labels[seeds[0].config]: [t.recording for t in seeds] for seeds in results}
    return plots.dashboard(next(iter(runs.values())) if len(runs) == 1 else runs)


# -- which configurations ------------------------------------------------------------------------


def _configs(options: argparse.Namespace) -> list[TrainConfig]:
    return [
        TrainConfig(
            activation, init, norm, residual, depth, width, optimizer, lr, clip,
            options.steps, options.batch_size, options.data,
        )
        for activation, init, norm, residual, depth, width, optimizer, clip in itertools.product(
            options.activation, options.init, options.norm, options.residual, options.depth,
            options.width, options.optimizer, options.clip,
        )
        for lr in options.lr or [OPTIMIZERS[optimizer][1]]
    ]  # fmt: skip


def _check(configs: Sequence[TrainConfig], seeds: tuple[int, ...], data: Dataset) -> None:
    if len(configs) > MOST:
        raise ArgumentError(
            f"{len(configs)} configurations were asked for, and at most {MOST} can be compared; "
            "make the lists shorter"
        )
    training = len(data.x) - math.ceil(len(data.x) / 5)
    for config in configs:
        check_config(
            DecayConfig(config.depth, config.width, seeds=seeds, residual=config.residual,
                        batch_size=config.batch_size, data=config.data),
            training,
        )  # fmt: skip


_IN_WORDS = {
    "activation": "{}", "init": "{} init", "norm": "norm {}", "residual": "residual {}",
    "depth": "depth {}", "width": "width {}", "optimizer": "{}", "lr": "lr {:g}", "clip": "clip {}",
}  # fmt: skip


def _labels(configs: Sequence[TrainConfig]) -> list[str]:
    """What tells each of them from the others, in words."""
    names = [f.name for f in fields(TrainConfig) if len({getattr(c, f.name) for c in configs}) > 1]
    names = names or ["activation", "init"]
    return [", ".join(_IN_WORDS[n].format(getattr(c, n)) for n in names) for c in configs]


def _clip(text: str) -> str:
    if text == "none":
        return text
    kind, _, limit = text.partition(":")
    if kind not in CLIPS:
        raise argparse.ArgumentTypeError(
            f"unknown clip {text!r}; use one of none, {', '.join(f'{k}:NUMBER' for k in CLIPS)}"
        )
    return f"{kind}:{values.positive('clip ' + kind)(limit):g}"
