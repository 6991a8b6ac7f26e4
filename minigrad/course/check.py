"""Does a lesson still say the truth? Its notebook, executed where nothing but minigrad is."""

from __future__ import annotations

import json
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.course.build import NOTEBOOK, execute
from minigrad.errors import ArgumentError

CLAIMS = "claims.json"
CPU_SECONDS = 60.0  # what a lesson may take from top to bottom


@dataclass(frozen=True)
class Outcome:
    """What came of running a lesson.

    Attributes:
        lesson: the name of its folder.
        claims: how many claims it makes.
        problems: what is wrong, in words; empty where all is well.
        seconds: CPU time of the kernel, its start included.
    """

    lesson: str
    claims: int
    problems: list[str]
    seconds: float

    def __str__(self) -> str:
        good = f"{self.claims} claims hold" if not self.problems else "FAILED"
        lines = [f"{self.lesson:<28}{good:>16}{self.seconds:>8.1f} s CPU"]
        return "\n".join(lines + [f"    {problem}" for problem in self.problems])


def check(folder: Path, *, fast: bool = False) -> Outcome:
    """Execute the notebook of the lesson in `folder` and judge what it claims.

    It runs on one BLAS thread, in a temporary folder of its own: a lesson may lean on the installed
    package alone. Its claims must hold, and be those of the `claims.json` beside it. In full they
    must also come out within a tolerance of the numbers there, in at most 60 s of CPU.

    Arguments:
        folder: holds `lesson.ipynb` and `claims.json`.
        fast: whether at the lesson's fast pace (see `full_or_fast`).

    Returns:
        The `Outcome`.

    Raises:
        ArgumentError: no lesson there.
    """
    import nbformat
    from nbclient.exceptions import CellExecutionError

    for needed in (NOTEBOOK, CLAIMS):
        if not (folder / needed).is_file():
            raise ArgumentError(
                f"check: there is no {folder / needed}; name the folder of a lesson"
            )
    published = _claims(folder)
    notebook = nbformat.read(folder / NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as elsewhere:
        before = _cpu_of_children()
        try:
            execute(notebook, Path(elsewhere), fast=fast)
            problems = compare(_claims(Path(elsewhere)), published, fast=fast)
        except CellExecutionError as error:
            problems = [f"a cell failed: {error.ename}: {error.evalue}"]
        except FileNotFoundError:
            problems = [f"no cell wrote {CLAIMS}; end the lesson with record([...])"]
        seconds = _cpu_of_children() - before
    if not fast and seconds > CPU_SECONDS:
        problems.append(f"took more than {CPU_SECONDS:.0f} s of CPU")
    return Outcome(folder.resolve().name, len(published), problems, seconds)


def compare(
    found: list[dict[str, Any]], published: list[dict[str, Any]], *, fast: bool = False
) -> list[str]:
    """What sets the claims of a run apart from the published ones, in words.

    At the fast pace the numbers may differ, but not what is claimed, and all must hold.
    """
    laws = [claim["law"] for claim in published]
    if [claim["law"] for claim in found] != laws:
        return [f"claims other laws than {CLAIMS} does; build the notebook again"]
    said = [f"does not hold: {claim['law']}" for claim in found if not claim["holds"]]
    if fast:
        return said
    return said + [
        f"{now['law']}: {now[number]} now, published {then[number]}"
        for now, then in zip(found, published, strict=True)
        for number in ("predicted", "measured", "tolerance")
        if not _close(now[number], then[number], then["tolerance"])
    ]


def _close(now: float, then: float, tolerance: float) -> bool:
    # Not the same to the last digit: another BLAS adds up in another order.
    return abs(now - then) <= max(tolerance, 1e-5 * abs(then))


def _claims(folder: Path) -> list[dict[str, Any]]:
    claims: list[dict[str, Any]] = json.loads((folder / CLAIMS).read_text(encoding="utf-8"))
    return claims


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
