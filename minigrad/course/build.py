"""From a lesson's source to its notebook.

`lesson.py` is the source, in the percent format of jupytext, and what people edit. `lesson.ipynb`
is made from it and executed. The same source on the same machine gives the same bytes: cells are
named by their text, and no times, counts or versions of the machine are kept.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

from minigrad.course.pace import FAST
from minigrad.course.pictures import fewer_colours
from minigrad.errors import ArgumentError

SOURCE = "lesson.py"
NOTEBOOK = "lesson.ipynb"
TIME_LIMIT = 300  # seconds a cell; a lesson as a whole is to take less than 60 of CPU

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def build(folder: Path) -> Path:
    """Make and execute the notebook of the lesson in `folder`, and write it beside the source.

    What the lesson writes itself (claims.json) lands in the folder, too.

    Arguments:
        folder: holds `lesson.py`.

    Returns:
        The path of the notebook.

    Raises:
        ArgumentError: no `lesson.py` there.
        nbclient.exceptions.CellExecutionError: a cell failed; nothing is written.
    """
    import nbformat

    notebook = from_source(folder)
    execute(notebook, folder)
    remove_chance(notebook)
    shrink_figures(notebook)
    path = folder / NOTEBOOK
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path


def from_source(folder: Path) -> Any:
    """The notebook as the source has it, not executed: an `nbformat` NotebookNode."""
    import jupytext  # type: ignore[import-untyped]
    import nbformat

    source = folder / SOURCE
    if not source.is_file():
        raise ArgumentError(f"build: there is no {source}; name the folder of a lesson")
    cells = jupytext.read(source).cells
    names = _names([cell.source for cell in cells])
    for cell, name in zip(cells, names, strict=True):
        cell.id = name
    return nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=cells, metadata=METADATA
    )


def _names(sources: list[str]) -> list[str]:
    """An id per cell that depends on its text alone, so that adding a cell renames no other."""
    seen: Counter[str] = Counter()
    names = []
    for source in sources:
        name = hashlib.sha256(source.encode()).hexdigest()[:8]
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def execute(notebook: Any, folder: Path, *, fast: bool = False) -> None:
    """Run all cells in place, in a fresh kernel whose working folder is `folder`."""
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=TIME_LIMIT,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # not a word about how the kernel is connected
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=one_thread(os.environ) | {FAST: "1" if fast else ""})


def remove_chance(notebook: Any) -> None:
    """Take out what another run of the same cells would have otherwise."""
    notebook.metadata = METADATA  # the kernel has added its version
    for cell in notebook.cells:
        outputs: list[Any] = []
        for output in cell.get("outputs", []):
            # What one cell prints arrives in pieces, cut where the clock cut them.
            last: Any = outputs[-1] if outputs else {}
            if output.output_type == "stream" and output.name == last.get("name"):
                last.text += output.text
            else:
                outputs.append(output)
        if cell.cell_type == "code":
            cell.outputs = outputs


def shrink_figures(notebook: Any) -> None:
    """Reduce the colours of all figures."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = fewer_colours(output.data["image/png"])


def one_thread(environment: Any) -> dict[str, str]:
    """An environment in which BLAS takes one thread, so that sums come out the same everywhere."""
    threads = dict.fromkeys(THREADS, "1")
    figures = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    return {**environment, **threads, **figures}


def problems(folder: Path) -> list[str]:
    """What is wrong with the notebook of a lesson, in words; empty where all is well.

    It is to hold the cells of the source, all of them executed in order, with no error and
    nothing on standard error.
    """
    import nbformat

    path = folder / NOTEBOOK
    cure = f"run python -m minigrad.course build {folder}"
    if not path.is_file():
        return [f"{path} does not exist; {cure}"]
    wanted = from_source(folder).cells
    found = nbformat.read(path, as_version=4).cells  # type: ignore[no-untyped-call]
    if len(wanted) != len(found):
        return [f"{SOURCE} has {len(wanted)} cells, {NOTEBOOK} has {len(found)}; {cure}"]
    said = [
        f"cell {number} differs between {SOURCE} and {NOTEBOOK}: {source.source[:60]!r}; {cure}"
        for number, (source, cell) in enumerate(zip(wanted, found, strict=True), 1)
        if (source.cell_type, source.source, source.id) != (cell.cell_type, cell.source, cell.id)
    ]
    code = [cell for cell in found if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        said.append(f"{NOTEBOOK} was not executed from top to bottom; {cure}")
    return said + [
        f"cell [{cell.execution_count}] wrote an error: {str(output)[:200]}; mend it, then {cure}"
        for cell in code
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]
