"""The claim table: what theory predicts of dL/dz per layer, and what comes, at width 256.

    python tests/diagnostics/pairs.py

Ten seeds, 14 Linear layers, 64 examples, float64. Every example sends back a gradient of its own:
one direction alone scatters by several per cent a seed, as 256 numbers do.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe, predict
from minigrad.models import deep_mlp

WIDTH, DEPTH, EXAMPLES, SEEDS = 256, 14, 64, 10

Build = Callable[[mg.Generator], nn.Module]


def mlp(activation: str, init: str, **others: object) -> Build:
    """A deep_mlp with these, of which each seed gives another."""
    return lambda generator: deep_mlp(
        DEPTH, WIDTH, activation, init, out_features=WIDTH, generator=generator,
        dtype=np.float64, **others,
    )  # fmt: skip


def critical(activation: str, sigma_b: float) -> Build:
    """At the edge of chaos."""

    def build(generator: mg.Generator) -> nn.Module:
        net = mlp(activation, "zeros")(generator)
        return nn.init.critical_(net, activation, sigma_b, generator.fork("critical"))

    return build


PLAIN: dict[str, Build] = {
    f"{activation}, {init}": mlp(activation, init)
    for activation, init in (
        ("tanh", "default"), ("tanh", "xavier"), ("tanh", "he"), ("tanh", "orthogonal"),
        ("sigmoid", "default"), ("sigmoid", "xavier"), ("relu", "default"), ("relu", "xavier"),
        ("relu", "he"), ("identity", "xavier"), ("leaky_relu", "he"), ("prelu", "he"),
        ("elu", "xavier"), ("selu", "lecun"), ("celu", "he"), ("gelu", "he"),
        ("silu", "he_uniform"), ("mish", "lecun_uniform"), ("softplus", "lecun"),
        ("softsign", "he"), ("relu6", "he"),
        ("hardtanh", "he"), ("hardsigmoid", "xavier"), ("logsigmoid", "lecun"),
        ("tanhshrink", "normal:0.2"),
    )
} | {
    "tanh, critical at 0.3": critical("tanh", 0.3), "selu, critical at 0.2": critical("selu", 0.2),
}  # fmt: skip

OTHERS: dict[str, Build] = {
    "relu, he, batch norm": mlp("relu", "he", norm="batch"),
    "tanh, xavier, batch norm": mlp("tanh", "xavier", norm="batch"),
    "relu, he, layer norm": mlp("relu", "he", norm="layer"),
    "tanh, xavier, RMS norm": mlp("tanh", "xavier", norm="rms"),
    "relu, he, group norm": mlp("relu", "he", norm="group"),
    "relu, he, residual": mlp("relu", "he", residual="pre"),
    "tanh, xavier, residual": mlp("tanh", "xavier", residual="pre"),
    "relu, he, residual, layer norm": mlp("relu", "he", residual="pre", norm="layer"),
    "relu, he, residual after": mlp("relu", "he", residual="post"),
    "relu, he, residual after, layer norm": mlp("relu", "he", residual="post", norm="layer"),
    "relu, he, residual after, batch norm": mlp("relu", "he", residual="post", norm="batch"),
    "relu, xavier, weight norm": mlp("relu", "xavier", norm="weight"),
}


def factors(build: Build, seeds: int = SEEDS, examples: int = EXAMPLES) -> tuple[float, float]:
    """The factor per layer on the rms of dL/dz, measured and predicted: means over the seeds."""
    logs = []
    for seed in range(seeds):
        generator = mg.Generator(seed)
        net, x = build(generator), generator.fork("x").normal((examples, 64))
        prediction = predict(net, x)
        with Probe(net, include=nn.Linear) as probe:
            out = net(mg.tensor(x))
            out.backward(mg.tensor(generator.fork("dz").normal(out.shape)))
        over = prediction.over(probe)
        logs.append((math.log(over.factor_per_layer), math.log(over.factor_per_layer_predicted)))
    measured, predicted = np.exp(np.mean(logs, axis=0)).tolist()
    return measured, predicted


def main() -> None:
    """Print the table."""
    print(f"{'':<38}{'predicted':>10}{'measured':>10}{'differ by':>11}")
    for name, build in (PLAIN | OTHERS).items():
        # Batch norm is predicted for large batches.
        measured, predicted = factors(build, examples=256 if "batch" in name else EXAMPLES)
        difference = 100 * (measured / predicted - 1)
        print(f"{name:<38}{predicted:>10.4f}{measured:>10.4f}{difference:>9.2f} %")


if __name__ == "__main__":
    main()
