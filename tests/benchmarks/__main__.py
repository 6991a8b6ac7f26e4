"""How long things take, as ratios: `python -m tests.benchmarks`.

minigrad and PyTorch run in one process on one BLAS thread, in short bursts that take turns, so
that whatever else the machine does falls on both. A training step is timed whole: forward, loss,
backward, Adam. Before any time is believed, both must have reached the same loss.
"""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import platform
import statistics
import sys
import time
from itertools import pairwise

import numpy as np

import minigrad as mg

try:
    import torch
except ImportError:
    sys.exit("python -m tests.benchmarks compares with PyTorch; pip install torch==2.13.0")


def small_op(lib, tensor, ones):
    """z = tanh(x*y + x) forward and backward on 8 elements."""
    rng = np.random.default_rng(0)
    x, y = (tensor(rng.normal(size=8)).requires_grad_() for _ in range(2))
    seed = ones(tensor(np.zeros(8)))

    def run():
        x.grad = y.grad = None
        z = lib.tanh(x * y + x)
        z.backward(seed)
        return z

    return run


def training_step(lib, tensor, depth, width):
    """One step of a tanh network on 64 random rows, with Adam."""
    rng = np.random.default_rng(0)
    sizes = [64, *[width] * (depth - 1), 10]
    layers = []
    for n_in, n_out in pairwise(sizes):
        linear = lib.nn.Linear(n_in, n_out)
        with lib.no_grad():
            limit = (6 / (n_in + n_out)) ** 0.5
            linear.weight.copy_(tensor(rng.uniform(-limit, limit, (n_out, n_in)).astype("f4")))
            linear.bias.zero_()
        layers += [linear, lib.nn.Tanh()]
    network = lib.nn.Sequential(*layers[:-1])
    optimizer = lib.optim.Adam(network.parameters())
    x, y = tensor(rng.normal(size=(64, 64)).astype("f4")), tensor(rng.integers(0, 10, 64))

    def run():
        optimizer.zero_grad()
        loss = lib.nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return run


def compare(ours, theirs, seconds, burst):
    """Median times in microseconds of two contenders, in alternating bursts of `burst` runs."""
    a, b = ours().detach().numpy(), theirs().detach().numpy()
    for _ in range(4):
        a, b = ours().detach().numpy(), theirs().detach().numpy()
    np.testing.assert_allclose(a, b, rtol=1e-4)
    times = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for run, found in zip((ours, theirs), times, strict=True):
            start = time.process_time()
            for _ in range(burst):
                run()
            found.append((time.process_time() - start) / burst * 1e6)
    return [statistics.median(t) for t in times]


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="per row (default 8)")
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, minigrad {mg.__version__}, "
        f"PyTorch {torch.__version__}, one thread\n"
        f"{'':34}{'minigrad':>12}{'PyTorch':>12}{'ratio':>8}"
    )
    rows = [
        (
            "tanh(x*y + x), 8 elements",
            small_op(mg, mg.tensor, mg.ones_like),
            small_op(torch, torch.tensor, torch.ones_like),
            1000,
        )
    ]
    for depth, width in [(50, 32), (50, 128)]:
        rows.append(
            (
                f"Adam step, {depth} x {width}, tanh",
                training_step(mg, mg.tensor, depth, width),
                training_step(torch, torch.tensor, depth, width),
                3,
            )
        )
    for name, ours, theirs, burst in rows:
        mine, yours = compare(ours, theirs, seconds, burst)
        print(f"{name:34}{mine:>9.1f} us{yours:>9.1f} us{mine / yours:>8.2f}")


if __name__ == "__main__":
    main()
