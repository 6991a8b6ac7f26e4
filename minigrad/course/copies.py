"""How a learner gets the notebooks, and gets newer ones without losing a line of work.

A notebook counts as edited when the text of its cells is no longer what was copied. Outputs,
execution counts and metadata do not count: running a notebook changes them, and so does opening
it. What was copied is remembered as one checksum per file in a hidden file of the folder.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import minigrad
from minigrad.errors import ArgumentError

MEMORY = ".minigrad-lessons.json"
PLAIN = ("README.md", "examples/*.py")  # the syllabus, whose tables the lessons cite, and scripts
NOTEBOOK = "lesson.ipynb"
NEWER = "lesson.new.ipynb"  # beside an edited one


def lessons_folder() -> Path:
    """Where the lessons lie: inside an installed package, or beside it in a checkout.

    Raises:
        ArgumentError: in neither place.
    """
    package = Path(minigrad.__file__).parent
    for folder in (package / "_lessons", package.parent / "lessons"):
        if next(folder.glob(f"*/{NOTEBOOK}"), None) is not None:
            return folder
    raise ArgumentError(
        f"no lessons in {package / '_lessons'} or {package.parent / 'lessons'}; "
        "install minigrad again"
    )


def copy_lessons(target: Path, source: Path | None = None) -> list[str]:
    """Copy every lesson's notebook to `target/<lesson>/lesson.ipynb`, never over an edited one.

    The syllabus (`README.md`) and the examples come along, likewise.

    The copies hold no outputs, so that nobody sees a figure before guessing what it will show.
    A notebook that is there already is
    - left alone, where its cells are those of today's lesson;
    - replaced, where it is an older lesson that was not edited;
    - kept, where it was edited or cannot be read. If the lesson has changed since it was copied,
      the new one goes beside it as `lesson.new.ipynb`, under the same rules.

    Arguments:
        target: the learner's folder; made where it does not exist.
        source: the folder with the lessons, by default `lessons_folder()`.

    Returns:
        One line per lesson that says what was done.

    Raises:
        ArgumentError: `target` is a file, or the folder of the lessons themselves.
        OSError: no permission to write there.
    """
    source = lessons_folder() if source is None else source
    if target.exists() and not target.is_dir():
        raise ArgumentError(
            f"cannot copy the lessons to {str(target)!r}, which is a file; name a folder"
        )
    if target.resolve() == source.resolve():
        raise ArgumentError(
            f"cannot copy the lessons to {str(target)!r}, where they come from; name another folder"
        )
    target.mkdir(parents=True, exist_ok=True)
    memory = _read_memory(target / MEMORY)
    said = [
        _copy_one(notebook, target / notebook.parent.name, memory)
        for notebook in sorted(source.glob(f"*/{NOTEBOOK}"))
    ]
    said += [
        _copy_plain(path, target / path.relative_to(source), memory)
        for pattern in PLAIN
        for path in sorted(source.glob(pattern))
    ]
    (target / MEMORY).write_text(json.dumps(memory, indent=1) + "\n", encoding="utf-8")
    return said


def _copy_one(shipped_path: Path, folder: Path, memory: dict[str, str]) -> str:
    shipped = json.loads(shipped_path.read_text(encoding="utf-8"))
    mine = folder / NOTEBOOK
    done = _place(shipped, mine, memory)
    if done:
        return f"{done:<9} {folder.name}/{NOTEBOOK}"
    kept = f"kept      {folder.name}/{NOTEBOOK}: you edited it"
    if memory.get(_key(mine)) == checksum(shipped):
        return kept
    if _place(shipped, folder / NEWER, memory):
        return f"{kept}; the newer lesson is beside it, {NEWER}"
    return f"{kept}, and {NEWER} too; rename one of them to get the newer lesson"


def _copy_plain(shipped: Path, mine: Path, memory: dict[str, str]) -> str:
    text = shipped.read_text(encoding="utf-8")
    found = _sha256(mine.read_bytes()) if mine.exists() else None
    done = _write(mine, text, found, _sha256(text.encode()), memory)
    name = shipped.name if mine.parent.name != "examples" else f"examples/{shipped.name}"
    return f"{done or 'kept':<9} {name}" + ("" if done else ": you edited it")


def _place(shipped: dict[str, Any], path: Path, memory: dict[str, str]) -> str:
    """Write the notebook unless that would lose work; what was done, or "" where it would."""
    text = json.dumps(without_outputs(shipped), indent=1, ensure_ascii=False) + "\n"
    found = _checksum_of_file(path) if path.exists() else None
    return _write(path, text, found, checksum(shipped), memory)


def _write(path: Path, text: str, found: str | None, new: str, memory: dict[str, str]) -> str:
    """The same for any text, given the checksums of what is there and of what is to be there."""
    if not path.exists():
        done = "new"
    elif found == new:
        memory[_key(path)] = new
        return "unchanged"
    elif found is not None and found == memory.get(_key(path)):
        done = "updated"
    else:
        return ""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    memory[_key(path)] = new
    return done


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def checksum(notebook: dict[str, Any]) -> str:
    """SHA-256 of the kind and the text of all cells."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    return _sha256(json.dumps(cells).encode())


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def without_outputs(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy in which no cell was run yet."""
    fresh = copy.deepcopy(notebook)
    for cell in fresh["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return fresh


def _checksum_of_file(path: Path) -> str | None:
    try:
        return checksum(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError):
        return None  # no notebook any more; whatever it is, it is the learner's


def _read_memory(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}  # then every notebook that differs from today's counts as edited
    return found if isinstance(found, dict) else {}
