"""A training step stays within its budget of calls and memory, counted, not timed.

Times depend on the machine, on what else it does and on the day; how many functions a step calls
and how many arrays it makes does not. The budgets are what the step took when they were written:
who makes a step dearer meets them here, and may raise one with a reason.
"""

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

PACKAGE = str(Path(mg.__file__).parent)
BATCH, WIDTH = 64, 32

# Python functions of minigrad that a step calls: per layer (linear and activation), and besides.
CALLS = {("Tanh", "SGD"): (18, 85), ("Tanh", "Adam"): (18, 91), ("ReLU", "Adam"): (18, 91)}


def network_and_step(depth, activation, optimizer):
    sizes = [WIDTH] * depth
    layers = [m for n in sizes for m in (nn.Linear(n, n), getattr(nn, activation)())]
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


def calls(run):
    """How many Python functions of minigrad are called, those of operations included."""
    found = 0

    def count(frame, event, argument):
        nonlocal found
        name = frame.f_code.co_filename
        found += event == "call" and name.startswith((PACKAGE, "<operation"))

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(previous)
    return found


@pytest.mark.parametrize(("activation", "optimizer"), CALLS)
def test_calls(activation, optimizer):
    counts = []
    for depth in (10, 20):
        _, forward, rest = network_and_step(depth, activation, optimizer)
        counts.append(calls(lambda forward=forward, rest=rest: rest(forward())))
    per_layer = (counts[1] - counts[0]) / 10
    besides = counts[0] - 10 * per_layer
    assert per_layer > 5  # or the counting itself is broken
    assert (per_layer, besides) <= CALLS[activation, optimizer]
    assert besides <= CALLS[activation, optimizer][1]


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
        _, forward, rest = network_and_step(depth, activation, "Adam")
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
