"""What `minigrad doctor` looks at: each check is a function that gives findings."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np

import minigrad

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        state: "ok"; "missing", which is no fault; "warning"; or "broken".
        what: that it is about.
        told: what was found.
        cure: what to do about it; "" where there is nothing.
    """

    state: str
    what: str
    told: str
    cure: str = ""


def python() -> Iterator[Finding]:
    """Interpreter and minigrad itself, with one gradient computed."""
    yield Finding(
        "ok", "minigrad", f"{minigrad.__version__} in {os.path.dirname(minigrad.__file__)}"
    )
    yield Finding("ok", "Python", f"{platform.python_version()} on {platform.platform()}")
    x = minigrad.tensor([3.0], requires_grad=True)
    (x * x).sum().backward()
    if x.grad is None or x.grad.item() != 6.0:
        yield Finding("broken", "gradient", f"d(x^2)/dx at 3 is 6, but came out as {x.grad}",
                      "install NumPy and minigrad anew")  # fmt: skip


def numpy() -> Iterator[Finding]:
    """NumPy and the BLAS that multiplies its matrices."""
    yield _version("NumPy", "numpy", least=(2, 0))
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    name, version = blas.get("name", "unknown"), blas.get("version", "")
    if not blas.get("found", True) or name == "none":
        yield Finding("warning", "BLAS", "none: matrix products are many times slower",
                      "pip install --force-reinstall numpy")  # fmt: skip
    else:
        yield Finding("ok", "BLAS", f"{name} {version}".strip())


def threads() -> Iterator[Finding]:
    """How many threads a matrix product uses, of how many cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = ", ".join(f"{name}={os.environ[name]}" for name in THREADS if name in os.environ)
    yield Finding("ok", "environment", told or "none of " + ", ".join(THREADS) + " is set")
    used, speed = _measured_product()
    said = _threads_of_pools() or round(used)
    line = f"{said} in a matrix product, on {cores} cores; {speed:.0f} Gflop/s"
    if said > 1:
        yield Finding(
            "warning", "BLAS threads",
            f"{line}; on a busy machine several threads make the steps of small networks 10 to "
            "1000 times slower, and their number changes what a training ends with",
            "before Python starts: export " + " ".join(f"{name}=1" for name in THREADS),
        )  # fmt: skip
    else:
        yield Finding("ok", "BLAS threads", line)
    if hasattr(os, "getloadavg") and cores and os.getloadavg()[0] > 1.5 * cores:
        yield Finding("warning", "load", f"{os.getloadavg()[0]:.1f} processes want {cores} cores",
                      "timings taken now mean little; wait, or end what is not needed")  # fmt: skip


def gpu() -> Iterator[Finding]:
    """The graphics card, and CuPy to use it."""
    card = _nvidia()
    yield Finding(
        "ok" if card else "missing", "GPU", card or "no NVIDIA GPU; minigrad runs on the CPU"
    )
    if importlib.util.find_spec("cupy") is None:
        major = re.search(r"CUDA (\d+)", card)
        extra = "cuda13" if major and int(major[1]) >= 13 else "cuda12"
        cure = f"pip install 'minigrad[{extra}]'" if card else ""
        state = "warning" if card else "missing"
        yield Finding(state, "CuPy", "not installed; tensors cannot go to a GPU", cure)
        return
    try:
        cupy = importlib.import_module("cupy")
        device = minigrad.device("cuda")
        product = float(minigrad.ones(2, 2, device=device).sum().item())
    except Exception as error:  # of whatever kind: drivers fail in many ways
        yield Finding(
            "broken", "CuPy", f"installed, but does not work: {_first_line(error)}",
            "check the driver with nvidia-smi, and install the CuPy of its CUDA version: "
            "minigrad[cuda12] or minigrad[cuda13]; or pip uninstall it",
        )  # fmt: skip
        return
    if product == 4.0:
        yield Finding("ok", "CuPy", f"{cupy.__version__}, a sum on {device.name} is right")
    else:
        yield Finding("broken", "CuPy", f"the sum of four ones on {device.name} is {product}",
                      "install CuPy anew")  # fmt: skip


def notebooks() -> Iterator[Finding]:
    """Figures and JupyterLab."""
    found = _version("Matplotlib", "matplotlib", least=(3, 9))
    yield found
    if found.state == "ok":
        import matplotlib

        name = os.environ.get("MPLBACKEND") or "chosen when a figure opens"
        told = f"{name}; {matplotlib.get_cachedir()} holds its fonts"
        yield Finding("ok", "figures", told)
    yield _extra("JupyterLab", "jupyterlab", "lessons")


def extras() -> Iterator[Finding]:
    """What only some of minigrad needs."""
    for title, module, extra in (
        ("jupytext", "jupytext", "lessons"),
        ("tqdm", "tqdm", "progress"),
        ("safetensors", "safetensors", "checkpoint"),
        ("joblib", "joblib", "search"),
        ("scikit-learn", "sklearn", "sklearn"),
        ("nbgrader", "nbgrader", "course"),
    ):
        yield _extra(title, module, extra)


CHECKS = {
    "minigrad": python, "NumPy": numpy, "threads": threads, "GPU": gpu,
    "figures and notebooks": notebooks, "extras": extras,
}  # fmt: skip


# -- one by one ----------------------------------------------------------------------------------


def _version(title: str, module: str, least: tuple[int, int]) -> Finding:
    """Whether a package that minigrad always needs is there, imports, and is new enough."""
    needed = ".".join(map(str, least))
    cure = f"pip install '{module}>={needed}'"
    try:
        found = importlib.import_module(module).__version__
    except Exception as error:  # a broken installation may raise anything
        return Finding("broken", title, f"cannot be imported: {_first_line(error)}", cure)
    if tuple(map(int, re.findall(r"\d+", found)[:2])) < least:
        return Finding("broken", title, f"{found}, but minigrad needs {needed}", cure)
    return Finding("ok", title, found)


def _extra(title: str, module: str, extra: str) -> Finding:
    """A package that an extra brings: missing is no fault, but one that does not import is."""
    if importlib.util.find_spec(module) is None:
        return Finding("missing", title, "not installed", f"pip install 'minigrad[{extra}]'")
    # In a process of its own: some take long, some leave threads, some end the interpreter.
    run = subprocess.run(
        [sys.executable, "-c", f"import {module}"], capture_output=True, text=True, check=False
    )
    if run.returncode:
        last = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        return Finding("broken", title, f"installed, but cannot be imported: {last}",
                       f"pip install --force-reinstall 'minigrad[{extra}]'")  # fmt: skip
    try:
        return Finding("ok", title, metadata.version(title))
    except metadata.PackageNotFoundError:
        return Finding("ok", title, "of unknown version")


def _measured_product() -> tuple[float, float]:
    """Threads that a product of matrices keeps busy, and its speed in Gflop/s."""
    size, seconds = 512, 0.1
    a = np.ones((size, size), np.float32)
    a @ a  # the first one starts the threads
    products, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        a @ a
        products += 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return max(1.0, cpu / wall), products * 2 * size**3 / wall / 1e9


def _threads_of_pools() -> int:
    """What threadpoolctl says; 0 where it is not installed."""
    try:
        pools = importlib.import_module("threadpoolctl").threadpool_info()
    except ImportError:
        return 0
    return max((int(pool["num_threads"]) for pool in pools), default=0)


def _nvidia() -> str:
    """Names of the GPUs and CUDA version of the driver; "" where there are none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        listed, whole = (
            subprocess.run(
                [program, *flags], capture_output=True, text=True, timeout=20, check=False
            )
            for flags in (["--query-gpu=name,memory.total", "--format=csv,noheader"], [])
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if listed.returncode or not listed.stdout.strip():
        return ""
    cuda = re.search(r"CUDA Version:\s*([\d.]+)", whole.stdout)
    told = "; ".join(listed.stdout.strip().splitlines())
    return told + (f", driver for CUDA {cuda[1]}" if cuda else "")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
