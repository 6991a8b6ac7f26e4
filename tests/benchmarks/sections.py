"""What is measured, and what is wanted of it: a function each, which fills the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from .contenders import CONTENDERS
from .imports import import_times
from .memory import least_bytes, peak_bytes
from .networks import Case, SmallOp
from .race import Entry, Result, race
from .report import Check, Report

# minigrad's time is wanted to be at most so many times theirs, by width; PyTorch's with Adam.
AT_MOST = {
    "limit": {32: 1.45, 128: 1.15, 512: 1.06},
    "torch": {32: 0.20, 128: 0.60, 512: 1.00},
    "jax": {32: 1.00, 128: 1.15, 512: 1.20},
}
# The two slow ones take part only where that holds up nobody.
SLOW, FOR_THE_SLOW = ("autograd", "dezero"), ((10, 32), (50, 32), (50, 128))


@dataclass(frozen=True)
class Pace:
    """How thorough to be.

    Attributes:
        seconds: per race.
        quick: leave out what takes long.
    """

    seconds: float = 2.0
    quick: bool = False


def present(names: Iterable[str]) -> list[str]:
    return [name for name in names if CONTENDERS[name].installed]


def labels(names: Iterable[str]) -> dict[str, str]:
    return {name: CONTENDERS[name].label for name in names}


def times(names: Iterable[str]) -> list[str]:
    """Headings of minigrad's time as a multiple of theirs."""
    return [f"x {label}" for label in labels(present(names)).values()]


def compare(
    report: Report,
    title: str,
    result: Result,
    case: Case | SmallOp,
    at_most: Mapping[str, float | None],
) -> None:
    """A row: the time of each, and minigrad's as a multiple of those in `at_most`."""
    entries = {e.contender: e for e in result.seconds if e.case == case}
    against = [name for name in at_most if name in entries]
    checks = [
        Check(heading, result.ratio(entries["minigrad"], entries[name]), at_most[name])
        for heading, name in zip(times(against), against, strict=True)
    ]
    report.row(title, {name: result.time(e) for name, e in entries.items()}, checks, case)


def grid(report: Report, pace: Pace) -> None:
    """A training step over depth and width."""
    kinds = [(a, o) for a in ("tanh", "relu") for o in ("adam", "sgd")]
    for activation, optimizer in kinds[:1] if pace.quick else kinds:
        fused = ["fused"] if optimizer == "adam" else []
        names = present(["minigrad", "limit", "torch", *fused, "jax", *SLOW])
        report.table(
            f"grid {activation} {optimizer}",
            f"A training step: {activation}, {optimizer}, batch 64",
            labels(names),
            times(AT_MOST),
        )
        for depth in (50,) if pace.quick else (10, 50, 100):
            for width in (32, 128, 512):
                case, title = Case(depth, width, activation, optimizer), f"{depth} x {width}"
                small = (depth, width) in FOR_THE_SLOW
                entries = [Entry(n, case) for n in names if small or n not in SLOW]
                at_most = {name: by_width[width] for name, by_width in AT_MOST.items()}
                if optimizer != "adam":
                    at_most["torch"] = None
                with report.attempt(title):
                    compare(report, title, race(entries, pace.seconds), case, at_most)


def depth(report: Report, pace: Pace) -> None:
    """How the cost of a layer grows with their number; the depths race each other."""
    # PyTorch takes part in the long run only: 10,000 layers are a second a step.
    names = present(["minigrad", "limit"] if pace.quick else ["minigrad", "limit", "torch"])
    depths = (100, 10_000) if pace.quick else (10, 100, 1000, 10_000)
    cases = {depth: Case(depth, 32) for depth in depths}
    title = "Time per layer, by depth: width 32, tanh, adam, batch 64"
    report.table("depth", title, labels(names), ["x at 100", "limit x at 100"])
    with report.attempt(title):
        result = race([Entry(n, c) for c in cases.values() for n in names], pace.seconds)
        for depth, case in cases.items():
            grown = {
                n: result.ratio(Entry(n, case), Entry(n, cases[100])) * 100 / depth for n in names
            }
            per_layer = {n: result.time(Entry(n, case)) / depth for n in names}
            checks = [
                Check("x at 100", grown["minigrad"], 1.3 if depth == 10_000 else None),
                Check("limit x at 100", grown["limit"]),
            ]
            report.row(f"{depth:,} layers", per_layer, checks, case)


def width(report: Report, pace: Pace) -> None:
    """How the cost grows with width."""
    title = "A training step by width: 10 layers, tanh, adam, batch 64"
    cases = {f"width {w}": Case(10, w) for w in (8, 32, 128, 512, 1024)}
    growth(report, "width", title, cases, pace)


def batch(report: Report, pace: Pace) -> None:
    """How the cost grows with the batch."""
    title = "A training step by batch: 10 x 128, tanh, adam"
    cases = {f"batch {b}": Case(10, 128, batch=b) for b in (1, 8, 64, 512)}
    growth(report, "batch", title, cases, pace)


def growth(report: Report, key: str, title: str, cases: Mapping[str, Case], pace: Pace) -> None:
    if pace.quick:
        return
    names = present(["minigrad", "limit", "torch", "jax"])
    report.table(key, title, labels(names), times(AT_MOST))
    with report.attempt(title):
        result = race([Entry(n, c) for c in cases.values() for n in names], pace.seconds)
        for title, case in cases.items():
            compare(report, title, result, case, dict.fromkeys(AT_MOST))


def norms(report: Report, pace: Pace) -> None:
    """A normalization in each layer."""
    names = present(["minigrad", "torch"])
    report.table(
        "norms",
        "A training step with a normalization in each layer: tanh, adam, batch 64",
        labels(names),
        times(["torch"]),
    )
    for width in (32,) if pace.quick else (32, 128):
        for norm in ("batch", "layer"):
            case, title = Case(50, width, norm=norm), f"{norm} 50 x {width}"
            with report.attempt(title):
                result = race([Entry(n, case) for n in names], pace.seconds)
                compare(report, title, result, case, {"torch": 0.35})


def small(report: Report, pace: Pace) -> None:
    """A small formula, where bookkeeping is nearly all there is."""
    names, case = present(["minigrad", "limit", "torch"]), SmallOp()
    title = "z = tanh(x*y + x), forward and backward"
    report.table("small", title, labels(names), times(["limit", "torch"]))
    with report.attempt(title):
        result = race([Entry(n, case) for n in names], pace.seconds)
        compare(report, f"{case.elements} elements", result, case, {"limit": None, "torch": 0.36})


def probe(report: Report, pace: Pace) -> None:
    """What it costs to leave a Probe on that records one step in ten."""
    names = ["minigrad", "probed"]
    title = "A training step, and with a Probe that records one in ten: tanh, adam, batch 64"
    report.table("probe", title, labels(names), ["x without"])
    for width in (32, 128):
        case, title = Case(50, width), f"50 x {width}"
        bare, probed = entries = [Entry(n, case) for n in names]
        with report.attempt(title):
            result = race(entries, pace.seconds, multiple=10)
            check = Check("x without", result.ratio(probed, bare), 1.05)
            report.row(title, {e.contender: result.time(e) for e in entries}, [check], case)


def memory(report: Report, pace: Pace) -> None:
    """How much a training step holds at its peak, against what it cannot do without."""
    names, case = ["minigrad", "limit"], Case(50, 512) if pace.quick else Case(100, 512)
    title = "Peak memory of a training step: tanh, adam, batch 64"
    report.table("memory", title, labels(names), ["x least"], unit="B")
    peaks = {name: peak_bytes(name, case) for name in names}
    check = Check("x least", peaks["minigrad"] / least_bytes(case), 1.10)
    report.row(f"{case.depth} x {case.width}", peaks, [check], case)


def imports(report: Report, pace: Pace) -> None:
    """What `import minigrad` costs over `import numpy`."""
    modules = {"numpy": "NumPy", "minigrad": "minigrad"}
    report.table("imports", "A fresh interpreter and an import", modules, ["ms over NumPy"])
    found = import_times(list(modules), rounds=15 if pace.quick else 25)
    over = 1000 * float(np.median(found[:, 1] - found[:, 0]))
    medians = dict(zip(modules, np.median(found, axis=0).tolist(), strict=True))
    report.row("import", medians, [Check("ms over NumPy", over, 20)])


SECTIONS = {
    s.__name__: s for s in (grid, depth, width, batch, norms, small, probe, memory, imports)
}
