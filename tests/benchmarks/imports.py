"""What an import costs: processor time of fresh interpreters, from their start."""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

import numpy as np


def import_times(modules: list[str], rounds: int) -> np.ndarray:
    """Seconds of shape (rounds, modules), which take turns."""
    with TemporaryDirectory() as folder:
        # A user's bytecode was compiled when the package was installed, or first imported.
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def seconds(module: str) -> float:
            code = f"import {module}, time; print(time.process_time())"
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            return float(done.stdout)

        for module in modules:
            seconds(module)
        return np.array([[seconds(module) for module in modules] for _ in range(rounds)])
