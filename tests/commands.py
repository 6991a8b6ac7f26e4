"""What the tests of the commands share."""

from pathlib import Path

from minigrad import cli


def refused(capsys, command: str, *arguments: str) -> str:
    """The one line with which the command refuses; it must compute and write nothing."""
    before = list(Path().iterdir())
    try:
        code = cli.main([command, *arguments])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.startswith(f"minigrad {command}: ") and err.count("\n") == 1
    assert list(Path().iterdir()) == before
    return err
