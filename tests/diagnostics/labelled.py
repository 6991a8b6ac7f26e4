"""Networks built to be ill, each in a way that its construction says, and healthy ones.

Depth, width, gain and the like are drawn at random within ranges that make the illness certain;
what is measured plays no part in the label. So from a gain of g on He's weights, dL/dz of a ReLU
network shrinks or grows as g^depth; a sigmoid has a slope of at most 1/4; a unit whose bias lies
far below 0 is off for every example; and gradient descent with many times the rate 2 / lambda_max
diverges. Families are far from the thresholds of `diagnose` except for those called "near", which
lie a factor of 3 in dL/dz to either side.

A network `has` what it was built with. What that brings about (a saturated layer lets gradients
vanish or explode) it `may` have: to find it is not counted as an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics.judging.diagnosis import diagnose
from minigrad.diagnostics.judging.verdicts import Diagnosis
from minigrad.diagnostics.loss_surface.curvature import hessian_top_eigenvalue
from minigrad.diagnostics.probing.probe import Probe
from minigrad.models import deep_mlp
from minigrad.nn import functional as F

ALL = {"saturated", "dead", "exploding", "vanishing", "underflow", "unstable"}
FAR, NEAR = 4.5, (1.9, 4.1)  # log of the factor in dL/dz; the threshold is at 3


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[], Diagnosis]
    has: frozenset[str]
    may: frozenset[str] = frozenset()


class Draw:
    """What varies from network to network, drawn from one seed."""

    def __init__(self, seed: int, family: str) -> None:
        self.generator = mg.Generator(seed).fork(family)

    def real(self, low: float, high: float) -> float:
        return float(self.generator.uniform((), low, high))

    def whole(self, low: int, high: int) -> int:
        return int(self.generator.integers((), low, high + 1))

    def one_of(self, *choices):
        return choices[self.whole(0, len(choices) - 1)]

    def width(self) -> int:
        return self.one_of(32, 48, 64, 96, 128)

    def net(self, depth, activation, init, **kw) -> nn.Sequential:
        kw = {"width": self.width(), **kw}
        return deep_mlp(depth, activation=activation, init=init, generator=self.generator, **kw)

    def batch(self, examples: int = 64):
        digits = mg.data.load_digits()
        rows = self.generator.permutation(len(digits.x))[:examples]
        x = mg.data.standardize(digits.x)[rows].astype(np.float32)
        return mg.tensor(x), mg.tensor(digits.y[rows])


def linears(model: nn.Module) -> list[nn.Linear]:
    return [m for m in model.modules() if isinstance(m, nn.Linear)]


# A family is a function of a Draw that returns the diagnosis; by its name it says what it has.
FAMILIES: dict[str, tuple[Callable[[Draw], Diagnosis], frozenset[str], frozenset[str]]] = {}


def family(has: str = "", may: str = ""):
    def register(build):
        FAMILIES[build.__name__] = (build, frozenset(has.split()), frozenset(may.split()))
        return build

    return register


def cases(seed: int, each: int) -> Iterator[Case]:
    for name, (build, has, may) in FAMILIES.items():
        for k in range(each):
            yield Case(
                f"{name} {k}", lambda b=build, n=name, k=k: b(Draw(seed, f"{n} {k}")), has, may
            )


# -- healthy -------------------------------------------------------------------------------------


@family()
def he_relu(d):
    return diagnose(d.net(d.whole(3, 20), "relu", "he"), d.batch())


@family()
def deep_he_relu(d):
    return diagnose(d.net(d.whole(25, 50), "relu", "he", width=d.one_of(128, 256)), d.batch())


@family()
def critical_tanh(d):
    return diagnose(d.net(d.whole(3, 25), "tanh", "lecun"), d.batch())


@family()
def layer_norm_relu(d):
    return diagnose(d.net(d.whole(3, 40), "relu", d.one_of("xavier", "he", "normal:0.1"),
                          norm=d.one_of("layer", "rms", "group")), d.batch())  # fmt: skip


@family()
def shallow_batch_norm(d):
    return diagnose(d.net(d.whole(3, 8), d.one_of("relu", "tanh"), d.one_of("he", "normal:0.02"),
                          norm="batch"), d.batch())  # fmt: skip


@family()
def orthogonal(d):
    return diagnose(d.net(d.whole(5, 60), d.one_of("identity", "tanh"), "orthogonal"), d.batch())


@family()
def residual_scaled(d):
    blocks = d.whole(3, 15)
    model = d.net(2 + 2 * blocks, "relu", "he", residual="pre", residual_scale=blocks**-0.5)
    return diagnose(model, d.batch())


@family()
def residual_layer_norm(d):
    model = d.net(2 + 2 * d.whole(3, 15), "relu", "he", residual="pre", norm="layer")
    return diagnose(model, d.batch())


@family()
def skipinit(d):
    model = d.net(2 + 2 * d.whole(3, 20), "relu", "he", residual="pre", residual_scale="learned")
    return diagnose(model, d.batch())


@family()
def fixup(d):
    model = d.net(2 + 2 * d.whole(3, 15), "relu", "he", residual="pre")
    nn.init.fixup_(model, generator=d.generator)
    return diagnose(model, d.batch())


@family()
def self_normalizing(d):
    return diagnose(d.net(d.whole(3, 12), "selu", "lecun"), d.batch())


@family()
def other_activations(d):
    name = d.one_of("leaky_relu", "prelu", "elu", "softsign", "hardtanh")
    init = "he" if name in ("leaky_relu", "prelu") else "lecun"
    return diagnose(d.net(d.whole(3, 8), name, init), d.batch())


@family()
def funnel(d):
    widths, parts, mode = [64, 512, 256, 128, 64, 32, 16, 10], [], d.one_of("fan_in", "fan_out")
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out, generator=d.generator)
        nn.init.kaiming_normal_(layer.weight, mode=mode,
                                nonlinearity="relu", generator=d.generator)  # fmt: skip
        parts += [layer, nn.ReLU()]
    return diagnose(nn.Sequential(*parts[:-1]), d.batch())


@family()
def autoencoder(d):
    narrow = d.one_of(4, 8, 16)
    widths, parts = [64, 128, 64, narrow, 64, 128, 64], []
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out, generator=d.generator)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=d.generator)
        parts += [layer, nn.LeakyReLU(0.1)]
    x, _ = d.batch()
    return diagnose(nn.Sequential(*parts[:-1]), (x, x))


@family()
def small_sigmoid(d):
    return diagnose(d.net(3, "sigmoid", "xavier"), d.batch())


@family()
def with_dropout(d):
    model = nn.Sequential(*[
        part
        for _ in range(d.whole(3, 6))
        for part in (nn.Linear(64, 64, generator=d.generator), nn.ReLU(),
                     nn.Dropout(0.3, generator=d.generator))
    ], nn.Linear(64, 10, generator=d.generator))  # fmt: skip
    nn.init.critical_(model, "relu", generator=d.generator)
    return diagnose(model, d.batch())


@family()
def near_but_healthy(d):
    gain, depth = gain_and_depth(d, d.one_of(-1, 1) * NEAR[0])
    return diagnose(d.net(depth, "relu", "he", gain=gain, width=128), d.batch())


@family()
def calm_descent(d):
    model, (x, y) = d.net(d.whole(3, 6), "relu", "he"), d.batch()
    lr = d.real(0.1, 0.5) * largest_stable_rate(model, x, y)
    return diagnose(model, (x, y), optimizer=mg.optim.SGD(model.parameters(), lr=lr))


@family()
def calm_adam(d):
    model, batch = d.net(d.whole(3, 8), d.one_of("relu", "tanh"), "xavier"), d.batch()
    optimizer = mg.optim.Adam(model.parameters(), lr=d.real(3e-4, 3e-3))
    return diagnose(model, batch, optimizer=optimizer)


@family()
def recorded_training_with_batches(d):
    model = d.net(d.whole(3, 6), "relu", "he")
    optimizer = mg.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    x, y = d.batch(1024)
    loader = mg.data.DataLoader((x, y), 32, shuffle=True, generator=d.generator)
    with Probe(model, optimizer, every=2, full=0) as probe:
        for bx, by in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(bx), by)
            loss.backward()
            optimizer.step()
            probe.note(loss=loss.item())
    return diagnose(probe)


@family()
def narrow_he_relu(d):
    return diagnose(d.net(d.whole(3, 15), "relu", "he", width=16), d.batch())


@family()
def batch_norm_in_tiny_batches(d):
    return diagnose(d.net(d.whole(3, 5), "relu", "he", norm="batch"), d.batch(8))


@family()
def post_norm(d):
    model = d.net(2 + 2 * d.whole(2, 6), "relu", "he", residual="post", norm="layer")
    return diagnose(model, d.batch())


@family()
def weight_norm(d):
    model = d.net(d.whole(3, 8), "relu", "he", norm="weight")
    return diagnose(model, d.batch())


@family()
def recurrent(d):
    model = mg.models.deep_rnn(d.whole(1, 3), 16, d.one_of("tanh", "lstm", "gru"), in_features=8,
                               out_features=3, generator=d.generator)  # fmt: skip
    x = mg.tensor(d.generator.normal((6, 4, 8)).astype("f"))
    return diagnose(model, (x, mg.tensor(d.generator.integers((6,), 0, 3))))


@family("vanishing")
def forgetful(d):
    # Weights from -1/4 to 1/4 for 16 units have a spectral radius of about 0.6, and 0.6^40 = 1e-9.
    model = mg.models.deep_rnn(1, 16, d.one_of("tanh", "lstm", "gru"), in_features=8,
                               out_features=3, generator=d.generator)  # fmt: skip
    x = mg.tensor(d.generator.normal((6, d.whole(40, 60), 8)).astype("f"))
    return diagnose(model, (x, mg.tensor(d.generator.integers((6,), 0, 3))))


@family()
def embedded(d):
    model = nn.Sequential(nn.Embedding(20, 16, generator=d.generator), nn.Flatten(),
                          nn.Linear(80, 32, generator=d.generator), nn.ReLU(),
                          nn.Linear(32, 4, generator=d.generator))  # fmt: skip
    x = mg.tensor(d.generator.integers((32, 5), 0, 20))
    return diagnose(model, (x, mg.tensor(d.generator.integers((32,), 0, 4))))


def trained(d, model, lr, steps, batch_size, every=5, kind=mg.optim.Adam, skip=0, told=True):
    """A recording of some training without its first steps; is the probe told the optimizer?"""
    optimizer = kind(model.parameters(), lr=lr)
    loader = mg.data.DataLoader(d.batch(1024), batch_size, shuffle=True, generator=d.generator)
    probe, done = Probe(model, optimizer if told else None, every=every, full=0), 0
    while done < steps:
        for x, y in loader:
            if done == skip:
                probe.__enter__()
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if done >= skip:
                probe.note(loss=loss.item())
            done += 1
            if done == steps:
                break
    probe.__exit__()
    return diagnose(probe)


@family()
def long_training_in_small_batches(d):
    return trained(d, d.net(4, "relu", "he", width=32), 1e-3, 200, d.one_of(8, 16),
                   told=d.one_of(True, False))  # fmt: skip


@family()
def trained_to_the_end(d):
    return trained(d, d.net(4, "relu", "he", width=32), 3e-3, 200, 64, skip=150, every=2,
                   told=d.one_of(True, False))  # fmt: skip


@family()
def adam_as_people_use_it(d):
    model = d.net(d.whole(3, 5), d.one_of("relu", "tanh"), d.one_of("he", "default"), width=64)
    return trained(d, model, d.real(1e-3, 1e-2), 60, 32, every=1)


# -- vanishing and exploding ---------------------------------------------------------------------


def gain_and_depth(d, log_factor):
    """A gain on critical weights and a depth that together make that factor over the hidden."""
    depth = d.whole(10, 40)
    return math.exp(-log_factor / (depth - 2)), depth


@family("vanishing")
def deep_sigmoid(d):
    return diagnose(d.net(d.whole(7, 25), "sigmoid", d.one_of("xavier", "default", "lecun")),
                    d.batch())  # fmt: skip


@family("vanishing")
def relu_with_small_weights(d):
    gain, depth = gain_and_depth(d, d.real(FAR, 20))
    return diagnose(d.net(depth, "relu", "he", gain=gain), d.batch())


@family("vanishing")
def xavier_relu(d):
    return diagnose(d.net(d.whole(20, 50), "relu", "xavier"), d.batch())


@family("vanishing")
def classic_tanh(d):
    return diagnose(d.net(d.whole(14, 40), "tanh", "default"), d.batch())


@family("vanishing")
def linear_with_small_weights(d):
    gain, depth = gain_and_depth(d, d.real(FAR, 30))
    return diagnose(d.net(depth, "identity", "orthogonal", gain=gain), d.batch())


@family("vanishing")
def odd_activations_with_small_weights(d):
    gain, depth = gain_and_depth(d, d.real(FAR + 2, 15))
    name = d.one_of("softsign", "hardtanh", "elu", "tanh")
    return diagnose(d.net(depth, name, "lecun", gain=gain), d.batch())


@family("vanishing")
def all_zero_tanh(d):
    return diagnose(d.net(d.whole(4, 12), "tanh", "zeros"), d.batch())


@family("vanishing")
def near_vanishing(d):
    gain, depth = gain_and_depth(d, NEAR[1])
    return diagnose(d.net(depth, "relu", "he", gain=gain, width=128), d.batch())


@family("exploding")
def relu_with_large_weights(d):
    gain, depth = gain_and_depth(d, -d.real(FAR, 25))
    return diagnose(d.net(depth, "relu", "he", gain=gain), d.batch())


@family("exploding")
def linear_with_large_weights(d):
    gain, depth = gain_and_depth(d, -d.real(FAR, 30))
    return diagnose(d.net(depth, "identity", "orthogonal", gain=gain), d.batch())


@family("exploding")
def near_exploding(d):
    gain, depth = gain_and_depth(d, -NEAR[1])
    return diagnose(d.net(depth, "relu", "he", gain=gain, width=128), d.batch())


@family("exploding")
def deep_batch_norm(d):
    return diagnose(d.net(d.whole(26, 45), "relu", "he", norm="batch"), d.batch())


@family("exploding")
def plain_residual(d):
    return diagnose(d.net(2 + 2 * d.whole(16, 30), "relu", "he", residual="pre"), d.batch())


@family("exploding")
def chaotic_tanh(d):
    # sigma_w = 1.7 to 2.2: chi is 1.2 to 1.4, and the third part of all units at most is flat.
    return diagnose(d.net(d.whole(50, 70), "tanh", "lecun", gain=d.real(1.7, 2.2)), d.batch())


@family("exploding")
def overflow(d):
    return diagnose(d.net(60, "relu", "he", gain=d.real(6, 12)), d.batch())


@family("vanishing")
def vanishing_with_weights_frozen_half_way(d):
    model = d.net(d.whole(12, 20), "sigmoid", "xavier")
    for layer in linears(model)[::2]:
        layer.weight.requires_grad_(False)
    return diagnose(model, d.batch())


@family("vanishing")
def vanishing_that_training_does_not_cure(d):
    return trained(d, d.net(d.whole(12, 20), "sigmoid", "xavier", width=32), 0.1, 20, 64,
                   kind=mg.optim.SGD)  # fmt: skip


# -- saturated and dead --------------------------------------------------------------------------


@family("saturated", may="vanishing exploding")
def large_weights(d):
    name, least = d.one_of(("tanh", 8), ("sigmoid", 40), ("hardtanh", 6), ("softsign", 30))
    return diagnose(d.net(d.whole(3, 8), name, "lecun", gain=least * d.real(1, 4)), d.batch())


@family("saturated", may="vanishing exploding")
def inputs_not_standardized(d):
    x, y = d.batch()
    return diagnose(d.net(d.whole(3, 8), d.one_of("tanh", "hardtanh"), "lecun"),
                    (x * d.real(20, 200), y))  # fmt: skip


@family("saturated", may="vanishing exploding")
def biases_far_off(d):
    model = d.net(d.whole(3, 8), d.one_of("tanh", "sigmoid"), "lecun")
    layer = linears(model)[d.whole(0, len(linears(model)) - 2)]
    layer.bias.data[...] = d.one_of(-1, 1) * d.real(10, 30)
    return diagnose(model, d.batch())


@family("dead", may="vanishing")
def a_dead_layer(d):
    model = d.net(d.whole(3, 12), d.one_of("relu", "relu6"), "he")
    layer = linears(model)[d.whole(0, len(linears(model)) - 2)]
    layer.bias.data[...] = -d.real(30, 300)
    return diagnose(model, d.batch())


@family("dead", may="vanishing")
def mostly_dead_layers(d):
    model = d.net(d.whole(4, 8), "relu", "he", width=128)
    for layer in linears(model)[:-1]:
        off = d.generator.uniform(layer.bias.shape) < d.real(0.75, 0.95)
        layer.bias.data[off] = -100
    return diagnose(model, d.batch())


@family("dead", may="vanishing")
def all_zero_relu(d):
    return diagnose(d.net(d.whole(4, 12), "relu", "zeros"), d.batch())


@family("dead", may="vanishing")
def killed_by_one_long_step(d):
    """All weights after the first layer are positive, so a loss that wants less takes its biases
    down, in one long step to where no example reaches."""
    model, (x, y) = d.net(3, "relu", "xavier", width=32), d.batch()
    first, *others = linears(model)
    for layer in others:
        layer.weight.data[...] = abs(layer.weight.data)
    optimizer = mg.optim.SGD([first.bias], lr=d.real(1e4, 1e5))
    return diagnose(model, (x, y), loss_fn=lambda out, y: out.mean(), optimizer=optimizer)


# -- underflow -----------------------------------------------------------------------------------


@family("underflow")
def tiny_loss(d):
    scale = 10.0 ** d.real(-41, -38)
    return diagnose(d.net(d.whole(3, 10), "relu", "he"), d.batch(),
                    loss_fn=lambda out, y: F.cross_entropy(out, y) * scale)  # fmt: skip


@family("underflow")
def half_precision(d):
    x, y = d.batch(128)
    scale = 10.0 ** d.real(-4, -3)
    model = d.net(d.whole(3, 6), "relu", "he", dtype=np.float16)
    return diagnose(model, (x.astype(mg.float16), y),
                    loss_fn=lambda out, y: F.cross_entropy(out, y) * scale)  # fmt: skip


@family("underflow")
def tiny_output_weights(d):
    model = d.net(d.whole(4, 10), "tanh", "lecun")
    linears(model)[-1].weight.data *= 1e-38
    return diagnose(model, d.batch())


@family("underflow vanishing")
def very_deep_sigmoid(d):
    return diagnose(d.net(d.whole(75, 95), "sigmoid", "xavier", width=32), d.batch())


@family("underflow", may="vanishing")
def very_small_weights(d):
    """Here it is z that gets too small on its way to the output."""
    return diagnose(d.net(d.whole(45, 60), "relu", "he", width=32, gain=d.real(0.1, 0.15)),
                    d.batch())  # fmt: skip


# -- unstable ------------------------------------------------------------------------------------


def largest_stable_rate(model, x, y):
    found = hessian_top_eigenvalue(
        lambda: F.cross_entropy(model(x), y), model, tol=0.05, max_iterations=200
    )
    return found.largest_lr


CONSEQUENCES = "dead saturated exploding vanishing underflow"


@family("unstable", may=CONSEQUENCES)
def far_beyond_two_over_lambda(d):
    model, (x, y) = d.net(d.whole(3, 6), d.one_of("relu", "tanh"), "he"), d.batch()
    lr = d.real(20, 100) * largest_stable_rate(model, x, y)
    return diagnose(model, (x, y), optimizer=mg.optim.SGD(model.parameters(), lr=lr))


@family("unstable", may=CONSEQUENCES)
def momentum_far_beyond(d):
    model, (x, y) = d.net(d.whole(3, 6), "relu", "he"), d.batch()
    lr = d.real(10, 50) * largest_stable_rate(model, x, y)
    optimizer = mg.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return diagnose(model, (x, y), optimizer=optimizer)


@family("unstable", may=CONSEQUENCES)
def adam_with_a_huge_rate(d):
    model, batch = d.net(d.whole(3, 8), d.one_of("relu", "tanh"), "he"), d.batch()
    optimizer = mg.optim.Adam(model.parameters(), lr=d.real(0.3, 3))
    return diagnose(model, batch, optimizer=optimizer)


@family("unstable", may=CONSEQUENCES)
def a_quadratic_just_beyond(d):
    """2.1 to 3 times 1 / lambda, on a linear model with a squared error: exactly a quadratic."""
    model = nn.Linear(64, 3, generator=d.generator)
    x, _ = d.batch()
    y = mg.tensor(d.generator.normal((64, 3)).astype("f"))
    top = hessian_top_eigenvalue(lambda: F.mse_loss(model(x), y), model, tol=1e-3)
    optimizer = mg.optim.SGD(model.parameters(), lr=d.real(2.1, 3) / top.value)
    return diagnose(model, (x, y), optimizer=optimizer, steps=60)


@family()
def a_quadratic_just_below(d):
    model = nn.Linear(64, 3, generator=d.generator)
    x, _ = d.batch()
    y = mg.tensor(d.generator.normal((64, 3)).astype("f"))
    top = hessian_top_eigenvalue(lambda: F.mse_loss(model(x), y), model, tol=1e-3)
    optimizer = mg.optim.SGD(model.parameters(), lr=d.real(1, 1.9) / top.value)
    return diagnose(model, (x, y), optimizer=optimizer, steps=60)


@family("unstable", may=CONSEQUENCES)
def a_root_at_zero(d):
    """The gradient of a norm written by hand is 0 / 0 where the output is 0."""
    model = d.net(d.whole(3, 6), "tanh", "lecun")
    linears(model)[-1].weight.data[...] = 0
    return diagnose(model, d.batch(),
                    loss_fn=lambda out, y: mg.sqrt((out * out).sum(axis=1)).mean())  # fmt: skip


# -- less usual ----------------------------------------------------------------------------------
# Written after the rules were settled, and scored once before anything was changed for them.


@family()
def gelu_with_layer_norm(d):
    return diagnose(d.net(d.whole(4, 15), d.one_of("gelu", "silu", "mish"), "he", norm="layer"),
                    d.batch())  # fmt: skip


@family()
def one_hidden_layer(d):
    return diagnose(d.net(2, d.one_of("relu", "tanh", "sigmoid"), "default"), d.batch())


@family()
def double_precision_data(d):
    x, y = d.batch()
    return diagnose(d.net(d.whole(4, 10), "relu", "he"), (x.astype(mg.float64), y))


@family()
def half_precision_with_scaled_loss(d):
    x, y = d.batch(128)
    model = d.net(d.whole(3, 5), "relu", "he", dtype=np.float16)

    def loss(out, y):
        return F.cross_entropy(out.astype(mg.float32), y) * 1024

    return diagnose(model, (x.astype(mg.float16), y), loss_fn=loss)


@family()
def batch_norm_in_evaluation(d):
    return diagnose(d.net(d.whole(4, 20), "relu", "he", norm="batch").eval(), d.batch())


@family()
def regression_with_large_targets(d):
    model = nn.Sequential(nn.Linear(64, 32, generator=d.generator), nn.Tanh(),
                          nn.Linear(32, 32, generator=d.generator), nn.Tanh(),
                          nn.Linear(32, 1, generator=d.generator))  # fmt: skip
    x, _ = d.batch()
    y = 1000 * mg.tensor(d.generator.normal((64, 1)).astype("f"))
    return diagnose(model, (x, y), optimizer=mg.optim.Adam(model.parameters(), lr=1e-3))


@family()
def other_optimizers(d):
    model = d.net(d.whole(3, 6), "relu", "he")
    make = d.one_of(
        lambda p: mg.optim.RMSprop(p, lr=1e-3),
        lambda p: mg.optim.AdamW(p, lr=1e-3, weight_decay=0.1),
        lambda p: mg.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
        lambda p: mg.optim.Adagrad(p, lr=0.01),
        lambda p: mg.optim.Lion(p, lr=1e-4),
    )
    return diagnose(model, d.batch(), optimizer=make(model.parameters()))


@family()
def training_from_a_loader(d):
    model = d.net(d.whole(3, 5), "relu", "he")
    loader = mg.data.DataLoader(d.batch(512), 16, shuffle=True, generator=d.generator)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.05)
    return diagnose(model, loader, optimizer=optimizer, steps=40)


@family()
def a_shared_layer(d):
    shared = nn.Linear(32, 32, generator=d.generator)
    nn.init.orthogonal_(shared.weight, generator=d.generator)
    parts = [nn.Linear(64, 32, generator=d.generator), nn.Tanh()]
    for _ in range(d.whole(2, 5)):
        parts.append(nn.Sequential(shared, nn.Tanh()))
    return diagnose(nn.Sequential(*parts, nn.Linear(32, 10, generator=d.generator)), d.batch())


@family("vanishing")
def spectral_norm_relu(d):
    return diagnose(d.net(d.whole(12, 20), "relu", "he", norm="spectral"), d.batch())


@family("vanishing")
def leaky_with_small_weights(d):
    gain, depth = gain_and_depth(d, d.real(FAR + 1, 15))
    return diagnose(d.net(depth, d.one_of("leaky_relu", "gelu"), "he", gain=gain), d.batch())


@family("vanishing")
def a_bottleneck_of_tiny_weights(d):
    model = d.net(d.whole(4, 10), "tanh", "orthogonal")
    hidden = linears(model)[1:-1]
    hidden[d.whole(0, len(hidden) - 1)].weight.data *= 1e-3
    return diagnose(model, d.batch())


@family("exploding")
def a_layer_of_huge_weights(d):
    model = d.net(d.whole(4, 10), "relu", "he")
    hidden = linears(model)[1:-1]
    hidden[d.whole(0, len(hidden) - 1)].weight.data *= 1e3
    return diagnose(model, d.batch())


@family("exploding")
def standardized_weights(d):
    return diagnose(d.net(d.whole(7, 12), "relu", "he", norm="standardized"), d.batch())


@family("dead", may="vanishing")
def dead_after_layer_norm(d):
    model = d.net(d.whole(4, 8), "relu", "he", norm="layer")
    norms = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    norms[d.whole(0, len(norms) - 1)].bias.data[...] = -d.real(20, 50)
    return diagnose(model, d.batch())


@family("dead", may="vanishing")
def two_thirds_dead(d):
    model = d.net(d.whole(3, 5), "relu", "he", width=128)
    for layer in linears(model)[:-1]:
        layer.bias.data[: 128 * 2 // 3] = -100
    return diagnose(model, d.batch())


@family("saturated", may="vanishing exploding")
def saturated_after_layer_norm(d):
    model = d.net(d.whole(3, 6), d.one_of("tanh", "sigmoid"), "lecun", norm="layer")
    norms = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    norms[d.whole(0, len(norms) - 1)].weight.data[...] = d.real(30, 100)
    return diagnose(model, d.batch())


@family("underflow vanishing")
def half_precision_sigmoid(d):
    x, y = d.batch(128)
    model = d.net(d.whole(6, 8), "sigmoid", "xavier", dtype=np.float16)
    return diagnose(model, (x.astype(mg.float16), y))


@family("unstable", may=CONSEQUENCES)
def logarithm_of_zero(d):
    model, (x, y) = d.net(d.whole(3, 5), "relu", "he"), d.batch()
    linears(model)[-1].weight.data *= 1e4

    def loss(out, y):
        p = F.softmax(out, 1)
        return -mg.log(p[mg.arange(len(y)), y]).mean()

    return diagnose(model, (x, y), loss_fn=loss)


@family("unstable", may=CONSEQUENCES)
def a_rate_that_grows_too_far(d):
    model, (x, y) = d.net(d.whole(3, 5), "relu", "he"), d.batch()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.01)
    with Probe(model, optimizer, full=0) as probe, np.errstate(all="ignore"):
        for step in range(40):
            optimizer.param_groups[0]["lr"] = 0.01 * 1.5**step
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            probe.note(loss=loss.item())
    return diagnose(probe)


@family("unstable", may=CONSEQUENCES)
def rmsprop_with_a_huge_rate(d):
    model, batch = d.net(d.whole(3, 6), d.one_of("relu", "tanh"), "he"), d.batch()
    optimizer = mg.optim.RMSprop(model.parameters(), lr=d.real(0.3, 3))
    return diagnose(model, batch, optimizer=optimizer)
