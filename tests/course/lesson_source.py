"""What the tests of the lessons' exercises share: a lesson run once, and its answers filled in."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from unittest import mock

import matplotlib as mpl
import matplotlib.pyplot as plt

import minigrad as mg

LESSONS = Path(mg.__file__).resolve().parent.parent / "lessons"


def source(name: str) -> str:
    """The text of `lessons/<name>/lesson.py`."""
    return (LESSONS / name / "lesson.py").read_text("utf-8")


def run(name: str, folder: Path) -> dict:
    """The names that a lesson defines, run fast in `folder` with its exercises left open."""
    names = {"__name__": "lesson"}
    with (
        mpl.rc_context(),
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, MINIGRAD_FAST="1"),
        mock.patch.object(plt, "show", side_effect=lambda: plt.close("all")),
    ):
        exec(compile(source(name), name, "exec"), names)
    return names


def answered(name: str, names: dict, **answer) -> str:
    """What a lesson prints in the cell that begins with `if <answer> is None`, given the answer."""
    (asked,) = answer
    (cell,) = [c for c in source(name).split("\n# %%\n") if c.startswith(f"if {asked} is None")]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(cell.partition("\n# %%")[0], {**names, **answer})
    return said.getvalue()


def filled_in(names: dict, check: str, **answers) -> str:
    """What a lesson's check says with these answers in the place of the stubs."""
    stubs = {name: names[name] for name in answers}
    names.update(answers)
    try:
        return names[check]()
    finally:
        names.update(stubs)
