"""A training step stays within its budget of calls and memory, counted, not timed.

Times depend on the machine, on what else it does and on the day; how many functions a step calls
and how many arrays it makes does not. The budgets are what the step took when they were written:
who makes a step dearer meets them here, and may raise one with a reason.
"""

import sys
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

PACKAGE = str(Path(mg.__file__).parent)
BATCH, WIDTH = 64, 32

# Python functions of minigrad that a step calls: per layer (linear, normalization if any, and
# activation), and besides.
CALLS = {
    ("Tanh", None, "SGD"): (18, 85),
    ("Tanh", None, "Adam"): (18, 91),
    ("ReLU", None, "Adam"): (18, 91),
    ("Tanh", "BatchNorm1d", "Adam"): (53, 90),
    ("Tanh", "LayerNorm", "Adam"): (37, 91),
}

# Bytes that these functions take for themselves, also for a while, per layer: as a multiple of its
# activation. One more array of that size is past the budget.
TRANSIENT = {
    ("Tanh", None): 9.1,
    ("ReLU", None): 10.5,
    ("Tanh", "BatchNorm1d"): 17.7,
    ("Tanh", "LayerNorm"): 18.4,
}


def network_and_step(depth, activation, norm, optimizer):
    layers = []
    for _ in range(depth):
        layers.append(nn.Linear(WIDTH, WIDTH))
        if norm is not None:
            layers.append(getattr(nn, norm)(WIDTH))
        layers.append(getattr(nn, activation)())
    net = nn.Sequential(*layers, nn.Linear(WIDTH, 10))
    opt = getattr(mg.optim, optimizer)(net.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.normal(size=(BATCH, WIDTH)).astype(np.float32))
    y = mg.tensor(rng.integers(0, 10, BATCH))

    def forward():
        opt.zero_grad()
        return F.cross_entropy(net(x), y)

    def rest(loss):
        loss.backward()
        opt.step()

    for _ in range(2):  # what the first steps do once is not counted
        rest(forward())
    return net, forward, rest


@contextmanager
def each_event(see):
    """Run `see(event)` whenever a Python function of minigrad, or an operation, begins or ends."""

    def profile(frame, event, argument):
        is_ours = frame.f_code.co_filename.startswith((PACKAGE, "<operation"))
        if is_ours and event in ("call", "return"):
            see(event)

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(previous)


def calls(run):
    """How many functions are called."""
    events = []
    with each_event(events.append):
        run()
    return events.count("call")


@pytest.mark.parametrize(("activation", "norm", "optimizer"), CALLS)
def test_calls(activation, norm, optimizer):
    counts = []
    for depth in (10, 20):
        _, forward, rest = network_and_step(depth, activation, norm, optimizer)
        counts.append(calls(lambda forward=forward, rest=rest: rest(forward())))
    per_layer = (counts[1] - counts[0]) / 10
    besides = counts[0] - 10 * per_layer
    allowed_per_layer, allowed_besides = CALLS[activation, norm, optimizer]
    assert 5 < per_layer <= allowed_per_layer  # below 5, the counting itself is broken
    assert besides <= allowed_besides


def arrays_alive():
    """Number and bytes of the arrays that NumPy has reported to tracemalloc."""
    domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([domain]).traces
    return len(traces), sum(trace.size for trace in traces)


@pytest.mark.parametrize("activation", ["Tanh", "ReLU"])
def test_arrays(activation):
    """A layer keeps its activation until backward and two gradients after it, and nothing else."""
    alive, peaks = [], []
    for depth in (40, 60):  # more parameters than the optimizer updates at a time
        _, forward, rest = network_and_step(depth, activation, None, "Adam")
        tracemalloc.start()
        try:
            loss = forward()
            between = arrays_alive()
            rest(loss)
            del loss
            afterwards = arrays_alive()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        alive.append([*between, *afterwards])
    one_activation, gradients = BATCH * WIDTH * 4, (WIDTH * WIDTH + WIDTH) * 4
    more = (np.array(alive[1]) - alive[0]) / 20
    assert more.tolist() == [1, one_activation, 2, gradients]
    # On the way back, activations go as gradients come; Python's own objects are in it, too.
    assert (peaks[1] - peaks[0]) / 20 <= one_activation + gradients


def transient(run):
    """Bytes made beyond what was there, from one beginning or end of a function to the next."""
    total = base = 0

    def see(event):
        nonlocal total, base
        total += max(0, tracemalloc.get_traced_memory()[1] - base)
        tracemalloc.reset_peak()
        base = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    base = tracemalloc.get_traced_memory()[0]
    try:
        with each_event(see):
            run()
    finally:
        tracemalloc.stop()
    return total


@pytest.mark.parametrize(("activation", "norm"), TRANSIENT)
def test_arrays_made_on_the_way(activation, norm):
    """A copy too many is seen here, though it is gone at once."""
    found = []
    for depth in (10, 20):
        _, forward, rest = network_and_step(depth, activation, norm, "Adam")
        found.append(transient(lambda forward=forward, rest=rest: rest(forward())))
    per_layer = (found[1] - found[0]) / 10 / (BATCH * WIDTH * 4)
    assert 3 < per_layer <= TRANSIENT[activation, norm]
