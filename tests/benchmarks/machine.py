"""What the numbers were found on."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import minigrad

PACKAGES = ("numpy", "torch", "jax", "jaxlib", "autograd", "dezero")


def describe() -> dict[str, str]:
    """The processor's model and the versions of what was measured."""
    found = {
        "processor": processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "minigrad": minigrad.__version__,
        "blas": blas(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def blas() -> str:
    """NumPy's BLAS and, where it tells, for which processor its kernels were written.

    It need not be this one: an older OpenBLAS knows nothing of a newer processor, and falls back
    to slower kernels.
    """
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        kernels = []
    else:
        kernels = [f" ({b['architecture']})" for b in threadpool_info() if b["user_api"] == "blas"]
    return f"{built['name']} {built['version']}{''.join(kernels)}"


def processor() -> str:
    """Its model, as the system names it."""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()
