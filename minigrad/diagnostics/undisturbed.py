"""Measuring without a trace: afterwards all is as it was, to the last bit, also after an error."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from minigrad import nn
from minigrad.optim import Optimizer
from minigrad.random import Generator, generator_or_default
from minigrad.tensor import Tensor


class _Measuring(threading.local):
    """How many measurements this thread is within, one inside the other."""

    def __init__(self) -> None:
        self.depth = 0


measuring = _Measuring()


@contextmanager
def unobserved() -> Iterator[None]:
    """Hide from every `Probe` that is in use what is run within.

    One that is entered within does see it.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import Probe
    >>> layer = mg.nn.Linear(2, 1)
    >>> with Probe(layer) as probe, unobserved():
    ...     layer(mg.ones(1, 2)).sum().backward()
    >>> len(probe)
    0
    """
    measuring.depth += 1
    try:
        yield
    finally:
        measuring.depth -= 1


@contextmanager
def undisturbed(
    model: nn.Module, optimizer: Optimizer | None = None, *generators: Generator
) -> Iterator[None]:
    """Put a model, an optimizer and the random numbers back as they were.

    That is: parameters, their gradients (within, there are none at first), buffers and modes of
    the model; settings, state and number of steps of the optimizer; and the generators that the
    model's layers and `mg.manual_seed` draw from, and `generators`. Arrays are written back into
    their own memory. What is run within is `unobserved`.

    Hooks that were registered to run after the optimizer's steps, as a schedule's, rest within:
    what they would change is out of sight here. Those before its steps run: they may clip.

    >>> import minigrad as mg
    >>> layer = mg.nn.Linear(2, 1)
    >>> before = layer.weight.data.copy()
    >>> with undisturbed(layer):
    ...     layer.weight.data += 1
    >>> bool((layer.weight.data == before).all())
    True
    """
    parameters = list(model.parameters())
    with unobserved(), ExitStack() as stack:
        if optimizer is not None:
            parameters += [p for group in optimizer.param_groups for p in group["params"]]
            _keep_optimizer(optimizer, stack)
        for module in model.modules():
            stack.callback(setattr, module, "training", module.training)
        for generator in _generators(model, generators):
            stack.callback(_rewinder(generator))
        for tensor in {id(t): t for t in [*parameters, *model.buffers()]}.values():
            stack.callback(_write_back, tensor, tensor.data.copy())
        for parameter in {id(p): p for p in parameters}.values():
            stack.callback(setattr, parameter, "grad", parameter.grad)
            parameter.grad = None
        yield


def _write_back(tensor: Tensor, values: Any) -> None:
    # Only where something changed: a write would spoil graphs that were made before.
    if not (tensor.data == values).all():
        tensor.data[...] = values
        tensor.mark_written()


def _generators(model: nn.Module, further: Iterable[Generator]) -> Iterable[Generator]:
    """The generators that a forward may draw from, each once."""
    own = [value for m in model.modules() for value in vars(m).values()]
    found = [generator_or_default(None), *further, *(g for g in own if isinstance(g, Generator))]
    return {id(g): g for g in found}.values()


def _rewinder(generator: Generator) -> Callable[[], None]:
    stream, seed = generator.numpy, generator.seed
    state = stream.bit_generator.state

    def rewind() -> None:
        generator.numpy, generator.seed = stream, seed
        stream.bit_generator.state = state

    return rewind


def _keep_optimizer(optimizer: Optimizer, stack: ExitStack) -> None:
    saved, steps = copy.deepcopy(optimizer.state_dict()), optimizer.steps_taken
    resting = dict(optimizer._after)
    optimizer._after.clear()

    def restore() -> None:
        optimizer.load_state_dict(saved)
        optimizer.steps_taken = steps
        optimizer._after.update(resting)

    stack.callback(restore)
