"""Every lesson: its notebook is its source, it runs by itself, and its claims hold."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.course.build import problems
from minigrad.course.check import CPU_SECONDS, compare
from minigrad.course.claims import Claim, table

ROOT = Path(minigrad.__file__).resolve().parent.parent
LESSONS = sorted(path.parent for path in (ROOT / "lessons").glob("*/lesson.py"))

every_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.name)


def committed_claims(lesson):
    return json.loads((lesson / "claims.json").read_text("utf-8"))


def test_there_are_lessons():
    assert LESSONS


@every_lesson
def test_the_notebook_is_the_source_executed(lesson):
    assert problems(lesson) == []


@every_lesson
def test_the_notebook_is_small_enough_to_open_anywhere(lesson):
    assert (lesson / "lesson.ipynb").stat().st_size < 700 * 1024


@every_lesson
def test_the_notebook_shows_the_claims_that_are_committed(lesson):
    cells = json.loads((lesson / "lesson.ipynb").read_text("utf-8"))["cells"]
    printed = ["".join(out.get("text", [])) for c in cells for out in c.get("outputs", [])]
    claims = committed_claims(lesson)
    for claim in claims:
        claim.pop("holds")
    assert table([Claim(**claim) for claim in claims]) in "\n".join(printed)


@pytest.fixture(scope="module", params=LESSONS, ids=lambda path: path.name)
def run(request, tmp_path_factory):
    """A lesson's folder, and the claims that its source makes when it runs as a script, fast.

    In an empty folder, so that it finds nothing but minigrad. In full, and from its notebook,
    `python -m minigrad.course check` runs it, which takes minutes.
    """
    lesson, folder = request.param, tmp_path_factory.mktemp("elsewhere")
    limit = int(CPU_SECONDS)
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(lesson / "lesson.py")],
        cwd=folder, capture_output=True, text=True,
        env={**os.environ, **threads, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "DISPLAY": "",
             "MINIGRAD_FAST": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
    )  # fmt: skip
    assert finished.returncode == 0, f"after at most {limit} s of CPU:\n{finished.stderr}"
    assert finished.stderr == ""
    return lesson, json.loads((folder / "claims.json").read_text("utf-8"))


def test_every_claim_holds(run):
    lesson, claims = run
    assert compare(claims, committed_claims(lesson), fast=True) == []


def test_the_syllabus_links_to_every_lesson():
    syllabus = (ROOT / "lessons" / "README.md").read_text("utf-8")
    assert [p.name for p in LESSONS if f"({p.name}/lesson.ipynb)" not in syllabus] == []
