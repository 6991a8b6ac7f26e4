"""Which depths can be trained at all: the loss after some steps, over depth and weight variance.

Theory predicts the answer before any training: networks of up to about six depth scales xi_c learn
(Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, Deep information propagation, figure 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.data import Dataset, standardize
from minigrad.diagnostics.arguments import is_number
from minigrad.diagnostics.inputs import chosen_inputs
from minigrad.errors import ArgumentError
from minigrad.models import ACTIVATIONS, deep_mlp
from minigrad.ops.creation import tensor
from minigrad.optim import SGD
from minigrad.random import Generator
from minigrad.tape import no_grad
from minigrad.train.progress import progress_bar


@dataclass(frozen=True)
class TrainabilityConfig:
    """What is trained.

    Attributes:
        depths: numbers of Linear layers, increasing.
        sigma_w2: fan_in times the variance of the weights, increasing.
        sigma_b2: variance of the biases.
        activation: a name in `models.ACTIVATIONS`.
        width: of all layers but the last.
        steps, lr, momentum, batch_size: of plain SGD on the mean cross-entropy.
        seed: of initial numbers and batches.
        data: "digits", "iris", "random" or the path of an .npz file.
    """

    depths: tuple[int, ...] = (10, 20, 30, 40, 60, 80)
    sigma_w2: tuple[float, ...] = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
    sigma_b2: float = 0.05
    activation: str = "tanh"
    width: int = 64
    steps: int = 100
    lr: float = 0.003
    momentum: float = 0.9
    batch_size: int = 64
    seed: int = 0
    data: str = "digits"


@dataclass(frozen=True, repr=False)
class Trainability:
    """What `measure_trainability` found.

    Attributes:
        config: what was trained.
        loss: of the whole data set after the training, shape (depths, sigma_w2); NaN where the
            training ran away.
        chance: the loss of one who guesses, log(number of classes).
    """

    config: TrainabilityConfig
    loss: NDArray[np.float64]
    chance: float

    def __repr__(self) -> str:
        learned = int((self.loss < 0.9 * self.chance).sum())
        return (
            f"<Trainability: {self.loss.size} {self.config.activation} networks, depths "
            f"{', '.join(map(str, self.config.depths))}; {learned} learned (loss below 0.9 of "
            f"{self.chance:.3g}, that of guessing)>"
        )


def measure_trainability(
    config: TrainabilityConfig | None = None,
    data: Dataset | None = None,
    progress: bool | None = None,
) -> Trainability:
    """Train a network for every depth and weight variance, and tell the loss of each.

    The default, 48 networks, takes about 10 seconds on one core.

    Arguments:
        config: what to train; by default `TrainabilityConfig()`.
        data: the data set to use in place of the one that `config.data` names; its features are
            standardized.
        progress: show a bar (needs tqdm)? None: where there is someone to see it.

    Raises:
        ArgumentError: a value in `config` that is not allowed.

    >>> from minigrad.diagnostics import TrainabilityConfig, measure_trainability
    >>> config = TrainabilityConfig(depths=(5, 50), sigma_w2=(1.0, 1.75), steps=30)
    >>> found = measure_trainability(config)
    >>> (found.loss < 0.9 * found.chance).tolist()
    [[True, True], [False, True]]
    """
    config = TrainabilityConfig() if config is None else config
    if not isinstance(config, TrainabilityConfig):
        raise ArgumentError(
            "measure_trainability: config must be a TrainabilityConfig, such as "
            f"TrainabilityConfig(depths=(5, 50)), got {type(config).__name__}"
        )
    data = chosen_inputs("measure_trainability", config.data, data)
    _check(config)
    x, classes = standardize(data.x), int(data.y.max()) + 1
    cells = [(depth, variance) for depth in config.depths for variance in config.sigma_w2]
    with progress_bar(1, cells, progress, "measure_trainability", "network") as bar:
        losses = [_trained(config, *cell, x, data.y, classes) for cell in bar.each(cells)]
    shape = len(config.depths), len(config.sigma_w2)
    return Trainability(config, np.array(losses).reshape(shape), math.log(classes))


def _trained(
    config: TrainabilityConfig,
    depth: int,
    sigma_w2: float,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    classes: int,
) -> float:
    """The loss of one network in the end; NaN where it is not finite."""
    generator = Generator(config.seed)
    model = deep_mlp(
        depth, config.width, config.activation, in_features=x.shape[1], out_features=classes,
        generator=generator,
    )  # fmt: skip
    _initialize(model, sigma_w2, config.sigma_b2, generator)
    optimizer = SGD(model.parameters(), lr=config.lr, momentum=config.momentum)
    batches = generator.fork("batches")
    # To run away is one of the answers.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(config.steps):
            chosen = batches.integers((config.batch_size,), 0, len(x))
            loss = nn.functional.cross_entropy(model(tensor(x[chosen])), tensor(y[chosen]))
            if not math.isfinite(loss.item()):
                return math.nan
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with no_grad():
            final = nn.functional.cross_entropy(model(tensor(x)), tensor(y)).item()
    return final if math.isfinite(final) else math.nan


def _initialize(model: nn.Module, sigma_w2: float, sigma_b2: float, generator: Generator) -> None:
    """Normal weights of variance sigma_w2 / fan_in, normal biases of variance sigma_b2."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            draws = generator.fork(f"{name}: normal")
            nn.init.normal_(module.weight, 0.0, math.sqrt(sigma_w2 / module.in_features), draws)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0.0, math.sqrt(sigma_b2), draws)


def _check(config: TrainabilityConfig) -> None:
    """Raise an ArgumentError for what would otherwise fail late, or not at all."""

    def increasing(values: Any) -> bool:
        listed = isinstance(values, tuple | list | np.ndarray) and len(values) > 0
        return listed and all(map(is_number, values)) and all(a < b for a, b in pairwise(values))

    for name, values in (("depths", config.depths), ("sigma_w2", config.sigma_w2)):
        if not increasing(values) or not values[0] > 0:
            raise ArgumentError(
                f"trainability: {name} must be a tuple of increasing numbers above 0, got "
                f"{values!r}"
            )
    for name in ("width", "steps", "batch_size"):
        value = getattr(config, name)
        if not isinstance(value, int | np.integer) or value < 1:
            raise ArgumentError(
                f"trainability: {name} must be a whole number of at least 1, got {value!r}"
            )
    if not is_number(config.sigma_b2) or not config.sigma_b2 >= 0:
        raise ArgumentError(
            f"trainability: sigma_b2 must be a number of at least 0, got {config.sigma_b2!r}"
        )
    if config.activation not in ACTIVATIONS:
        raise ArgumentError(
            f"trainability: unknown activation {config.activation!r}; use one of "
            f"{', '.join(ACTIVATIONS)}"
        )
