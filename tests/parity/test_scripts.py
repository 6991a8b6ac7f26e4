"""PyTorch scripts run here with nothing changed but their import lines, to the same numbers."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


def with_minigrad(source: str) -> str:
    """The script with its import lines changed, and nothing else."""
    source = re.sub(r"^import torch$", "import minigrad as torch", source, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 minigrad", source, flags=re.M)


def run(source: str) -> tuple[str, dict[str, Any]]:
    """What a script prints, and its `results`."""
    names: dict[str, Any] = {"__name__": "script"}
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(source, "script", "exec"), names)
    return printed.getvalue(), names["results"]


def check_close(mine: Any, theirs: Any, where: str) -> None:
    if isinstance(theirs, dict):
        assert list(mine) == list(theirs), where
        for key in theirs:
            check_close(mine[key], theirs[key], f"{where}[{key!r}]")
    elif isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs), where
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            check_close(a, b, f"{where}[{i}]")
    else:
        # atol is far below the numbers that the scripts compute, apart from those that are 0.
        mine, theirs = _array(mine), _array(theirs)
        assert mine.shape == theirs.shape, where
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-14, err_msg=where)


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach() if hasattr(value, "detach") else value)


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(path: Path) -> None:
    source = path.read_text("utf-8")
    changed = with_minigrad(source)
    before, after = source.splitlines(), changed.splitlines()
    differing = [line for line, new in zip(before, after, strict=True) if line != new]
    assert differing
    assert all(re.match(r"(import|from) torch", line) for line in differing)

    printed, mine = run(changed)
    wanted, theirs = run(source)
    check_close(mine, theirs, "results")
    assert printed == wanted


def test_there_are_enough_scripts() -> None:
    assert len(SCRIPTS) >= 10
