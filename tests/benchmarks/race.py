"""Who needs how long: each entry in a process of its own, all on one core, taking turns.

Whatever else the machine does falls on all alike, and what remains of it cancels in the ratios of
one round. Time is processor time of the whole process with all its threads.
"""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import numpy as np

from .contenders import CONTENDERS

FIRST_STEPS = 3  # whose results are compared, before any time is taken
BURST = 0.02  # seconds of processor time; long against filling the caches anew after each turn
ROUNDS = 5  # at least

# Those this process may use; known on Linux only.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


class CannotBeCompared(Exception):
    """A contender failed, or reached other numbers than the rest: its time would say nothing."""


@dataclass(frozen=True)
class Entry:
    """A contender, by its key in `CONTENDERS`, and the case it runs."""

    contender: str
    case: Any

    @property
    def label(self) -> str:
        return CONTENDERS[self.contender].label


@dataclass
class Result:
    """What a race found: per entry and round, the seconds of one step."""

    seconds: dict[Entry, list[float]]

    def time(self, entry: Entry) -> float:
        return median(self.seconds[entry])

    def ratio(self, entry: Entry, other: Entry) -> float:
        """The median over the rounds of one's time by the other's."""
        pairs = zip(self.seconds[entry], self.seconds[other], strict=True)
        return median(a / b for a, b in pairs)


def race(entries: Sequence[Entry], seconds: float, multiple: int = 1) -> Result:
    """Let them take turns for about so many seconds, and for at least five rounds.

    Arguments:
        entries: who takes part.
        seconds: of waiting, not counting the start.
        multiple: steps in a burst are a multiple of it, for what recurs every so many steps.

    Raises:
        CannotBeCompared: an entry failed, or two of the same case disagree.
    """
    with started(entries) as connections:
        check_agreement({e: _receive(c) for e, c in connections.items()})

        def burst(entry: Entry, steps: int) -> float:
            connections[entry].send(steps)
            return _receive(connections[entry]) / steps

        steps = dict.fromkeys(entries, multiple)
        for e in entries:
            for _ in range(2):  # the first steps of all are slower than those that follow
                bursts = BURST / (burst(e, steps[e]) * multiple)
                if bursts <= 1:
                    break
                steps[e] = multiple * math.ceil(bursts)

        found: dict[Entry, list[float]] = {e: [] for e in entries}
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(found[entries[0]]) < ROUNDS:
            for e in entries:
                found[e].append(burst(e, steps[e]))
    return Result(found)


def check_agreement(results: dict[Entry, list[float]]) -> None:
    """Raise unless entries of the same case went the same way, step by step.

    Where the result is a loss, rounding may make up 1/200 of the way that it went: less than what
    biases left out, one layer in fifty forgotten or a learning rate wrong by 2 % would change.
    """
    for case in dict.fromkeys(entry.case for entry in results):
        first, *others = (entry for entry in results if entry.case == case)
        expected = np.array(results[first])
        tolerance = max(0.005 * np.ptp(expected), 1e-6 * abs(expected).max())
        for other in others:
            found = np.array(results[other])
            if not abs(found - expected).max() <= tolerance:
                raise CannotBeCompared(
                    f"{first.label} reached {expected}, {other.label} {found} in {case}"
                )


@contextmanager
def started(entries: Sequence[Entry]) -> Iterator[dict[Entry, Connection]]:
    """A line to a fresh process for each entry; at the end they are ended."""
    context = get_context("spawn")
    connections, processes = {}, []
    try:
        for place, entry in enumerate(entries):
            connections[entry], theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, entry, place), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
        yield connections
    finally:
        for process in processes:
            process.kill()
            process.join()


def _serve(connection: Connection, entry: Entry, place: int) -> None:
    """In the new process: build the step, send its first results, then run what is asked for."""
    try:
        build = CONTENDERS[entry.contender].builder(entry.case)
        pin(place)  # building goes on side by side, racing on one core
        step = build(entry.case)
        connection.send([float(np.sum(np.asarray(step()))) for _ in range(FIRST_STEPS)])
        pin(-1)
        while True:
            steps = connection.recv()
            start = time.process_time()
            for _ in range(steps):
                step()
            connection.send(time.process_time() - start)
    except Exception:
        connection.send(CannotBeCompared(f"{entry.label} failed: {traceback.format_exc(limit=-1)}"))


def pin(place: int) -> None:
    """Keep all threads of this process on one of the machine's cores."""
    if not CORES:
        return
    core = CORES[place % len(CORES)]
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {core})


def _receive(connection: Connection) -> Any:
    try:
        found = connection.recv()
    except EOFError:
        raise CannotBeCompared("a process ended without a word; was there memory enough?") from None
    if isinstance(found, CannotBeCompared):
        raise found
    return found
