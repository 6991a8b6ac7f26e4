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
from minigrad.course.claims import Claim, table

ROOT = Path(minigrad.__file__).resolve().parent.parent
LESSONS = sorted(path.parent for path in (ROOT / "lessons").glob("*/lesson.py"))
CPU_SECONDS = 60  # what a lesson may take

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
    """A lesson's folder, and the claims that its source makes when it runs as a script.

    In an empty folder, so that it finds nothing but minigrad.
    """
    lesson, folder = request.param, tmp_path_factory.mktemp("elsewhere")
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(lesson / "lesson.py")],
        cwd=folder, capture_output=True, text=True,
        env={**os.environ, **threads, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "DISPLAY": ""},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS)),
    )  # fmt: skip
    assert finished.returncode == 0, f"after at most {CPU_SECONDS} s of CPU:\n{finished.stderr}"
    assert finished.stderr == ""
    return lesson, json.loads((folder / "claims.json").read_text("utf-8"))


def test_every_claim_holds(run):
    _, claims = run
    assert [claim["law"] for claim in claims if not claim["holds"]] == []


def test_the_claims_are_those_that_are_committed(run):
    lesson, claims = run
    for now, then in zip(claims, committed_claims(lesson), strict=True):
        for key in ("law", "tolerance", "holds", "source"):
            assert now[key] == then[key]
        assert now["predicted"] == pytest.approx(then["predicted"], rel=1e-5)
        # Not the same to the last digit: another BLAS adds up in another order.
        assert now["measured"] == pytest.approx(then["measured"], abs=then["tolerance"], rel=1e-5)


def test_the_syllabus_links_to_every_lesson():
    syllabus = (ROOT / "lessons" / "README.md").read_text("utf-8")
    assert [p.name for p in LESSONS if f"({p.name}/lesson.ipynb)" not in syllabus] == []
