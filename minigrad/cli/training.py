"""One configuration of `minigrad compare`: what can be chosen, and its training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigrad import nn, optim
from minigrad.data import DataLoader, Dataset, standardize, train_test_split
from minigrad.diagnostics import Recording
from minigrad.diagnostics.judging.diagnosis import diagnose
from minigrad.diagnostics.probing.probe import Probe
from minigrad.models import deep_mlp
from minigrad.nn import utils
from minigrad.nn.functional import cross_entropy
from minigrad.ops.creation import tensor
from minigrad.random import Generator
from minigrad.train import accuracy, evaluate

RECORDS = 20  # of a run, about: as many columns as its heat map has

# By name: how it is made, and a learning rate that usually works.
OPTIMIZERS: dict[str, tuple[Callable[..., optim.Optimizer], float]] = {
    "sgd": (optim.SGD, 0.1),
    "momentum": (lambda p, lr: optim.SGD(p, lr, momentum=0.9), 0.01),
    "nesterov": (lambda p, lr: optim.SGD(p, lr, momentum=0.9, nesterov=True), 0.01),
    "adagrad": (optim.Adagrad, 0.01),
    "rmsprop": (optim.RMSprop, 1e-3),
    "adam": (optim.Adam, 1e-3),
    "adamw": (optim.AdamW, 1e-3),
    "nadam": (optim.NAdam, 1e-3),
    "radam": (optim.RAdam, 3e-3),
    "lion": (optim.Lion, 3e-4),
}

CLIPS: dict[str, Callable[[Any, float], Any]] = {
    "norm": utils.clip_grad_norm_,
    "value": utils.clip_grad_value_,
    "adaptive": utils.adaptive_clip_grad_,
}


@dataclass(frozen=True)
class TrainConfig:
    """What to train. `clip` is "none", or a name in CLIPS, a colon and a number."""

    activation: str
    init: str
    norm: str
    residual: str
    depth: int
    width: int
    optimizer: str
    lr: float
    clip: str
    steps: int
    batch_size: int
    data: str


@dataclass(frozen=True)
class Trained:
    """One configuration, trained from one seed.

    Attributes:
        config, seed: what was trained.
        recording: of about `RECORDS` steps.
        train_loss, test_accuracy: after the last step; NaN where it diverged.
        diverged: the step, from 0, in which the loss was no finite number any more; or None.
        verdict: that of `diagnose` on the recording.
        factor_per_layer: what dL/dz is multiplied by per layer towards the input, in the last
            record that holds finite numbers.
    """

    config: TrainConfig
    seed: int
    recording: Recording
    train_loss: float
    test_accuracy: float
    diverged: int | None
    verdict: str
    factor_per_layer: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `Recording.from_dict` reads what stands under "recording"."""
        return {
            "config": asdict(self.config),
            "seed": self.seed,
            "train_loss": _or_none(self.train_loss),
            "test_accuracy": _or_none(self.test_accuracy),
            "factor_per_layer": _or_none(self.factor_per_layer),
            "verdict": self.verdict,
            "diverged": self.diverged,
            "recording": self.recording.to_dict(),
        }


def train(
    config: TrainConfig, seed: int, data: Dataset, tell: Callable[[int, float], Any]
) -> Trained:
    """Train one configuration on four fifths of the data and test it on the rest.

    All configurations of a seed see the same batches and, as far as they are alike, begin with
    the same weights.

    Arguments:
        config, seed: what to train.
        data: the data set, whose features are standardized first.
        tell: called after every step with its number from 1 and the loss.
    """
    generator = Generator(seed)
    split = train_test_split(
        (standardize(data.x), data.y), test_size=0.2, generator=generator.fork("split")
    )
    x, x_test, y, y_test = split
    model = deep_mlp(
        config.depth, config.width, config.activation, config.init, config.norm,
        in_features=x.shape[1], out_features=int(data.y.max()) + 1, residual=config.residual,
        generator=generator,
    )  # fmt: skip
    make, _ = OPTIMIZERS[config.optimizer]
    optimizer = make(model.parameters(), lr=config.lr)
    clip = clip_of(config.clip)
    draws = generator.fork("batches")
    diverged = None
    probe = Probe(model, optimizer, every=max(1, config.steps // RECORDS), include=nn.Linear)
    # An overflow in an exploding network is a finding, not an accident.
    with np.errstate(over="ignore", invalid="ignore"), probe:
        for step in range(config.steps):
            chosen = draws.permutation(len(x))[: config.batch_size]
            optimizer.zero_grad()
            loss = cross_entropy(model(tensor(x[chosen])), tensor(y[chosen]))
            loss.backward()
            probe.note(loss=loss.item())
            if not math.isfinite(loss.item()):
                diverged = step
                break
            if clip is not None:
                clip(model.parameters())
            optimizer.step()
            tell(step + 1, loss.item())
        after = {}
        if diverged is None:
            after = _after(model, (x, y), (x_test, y_test))
    found = diagnose(probe)
    return Trained(
        config, seed, probe, after.get("loss", math.nan), after.get("accuracy", math.nan),
        diverged, found.verdict, found.factor_per_layer,
    )  # fmt: skip


def _after(model: nn.Module, train: Any, test: Any) -> dict[str, float]:
    """Loss on the training examples, accuracy on the others."""
    loss = evaluate(model, DataLoader(train, batch_size=512), cross_entropy)["loss"]
    found = evaluate(model, DataLoader(test, batch_size=512), cross_entropy, {"accuracy": accuracy})
    return {"loss": loss, "accuracy": found["accuracy"]}


def clip_of(text: str) -> Callable[[Any], Any] | None:
    """What "none", "norm:1" and the like stand for."""
    if text == "none":
        return None
    kind, _, limit = text.partition(":")
    return lambda parameters: CLIPS[kind](list(parameters), float(limit))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
