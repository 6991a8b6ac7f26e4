"""How much memory a training step holds at its peak, as NumPy reports it to tracemalloc."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from .contenders import CONTENDERS
from .networks import Case


def peak_bytes(contender: str, case: Case) -> int:
    """The peak during a steady step, in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak_of_a_step, contender, case).result()


def _peak_of_a_step(contender: str, case: Case) -> int:
    build = CONTENDERS[contender].builder(case)  # imports, which are not counted
    tracemalloc.start()
    step = build(case)
    for _ in range(3):
        step()
    tracemalloc.reset_peak()
    step()
    return tracemalloc.get_traced_memory()[1]


def least_bytes(case: Case) -> int:
    """Parameters, their gradients, Adam's two averages, and one activation a layer."""
    parameters = sum(n_in * n_out + n_out for n_in, n_out in case.sizes)
    activations = sum(case.batch * n_out for _, n_out in case.sizes)
    return 4 * (4 * parameters + activations)
