"""JupyterLab, opened where the learner's notebooks lie."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from minigrad.course.build import THREADS
from minigrad.errors import MinigradError


def open_jupyterlab(folder: Path) -> None:
    """Run JupyterLab in `folder` until it is shut down, on one BLAS thread unless told otherwise.

    Arguments:
        folder: where it opens.

    Raises:
        MinigradError: JupyterLab is not installed, or it ended with an error.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise MinigradError(
            "JupyterLab is not installed, so nothing was opened; install it with "
            "pip install 'minigrad[lessons]', or open the notebooks in another program"
        )
    # Small matrices: several BLAS threads would make a lesson slower, and its numbers others.
    environment = dict.fromkeys(THREADS, "1") | os.environ
    process = subprocess.Popen([sys.executable, "-m", "jupyterlab"], cwd=folder, env=environment)
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue  # Ctrl-C reaches JupyterLab as well; it asks whether to stop, and decides
    if code:
        raise MinigradError(f"JupyterLab ended with exit code {code}; its own message is above")
