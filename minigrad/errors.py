"""What minigrad raises. Each error is also the Python error one would catch in plain NumPy."""

from __future__ import annotations


class MinigradError(Exception):
    """Base of every error raised here; knows the layer of the network it came from.

    `nn.Module` calls `passing_through` while the error travels up through it, so that the
    message a user reads ends with the path of the innermost layer.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: tuple[str, ...] = ()
        self.layer = ""
        self.module: object = None  # the last nn.Module that it passed through

    def passing_through(self, name: str, layer: str = "") -> None:
        """Note one step of the path, innermost first; `layer` describes the innermost one."""
        if not self.layer:
            self.layer = layer
        if name:
            self.path = (name, *self.path)

    def __str__(self) -> str:
        if not self.layer:
            return self.message
        where = f"layer '{'.'.join(self.path)}' ({self.layer})" if self.path else self.layer
        return f"{self.message} [in {where}]"


class ShapeError(MinigradError, ValueError):
    """Shapes that do not fit together, or a size or axis that does not exist."""


class DtypeError(MinigradError, TypeError):
    """A dtype or a type that the operation cannot use."""


class ArgumentError(MinigradError, ValueError):
    """A value outside of what the argument allows."""


class OutOfRangeError(MinigradError, IndexError):
    """An index or a class number outside of the axis it points into."""


class GraphError(MinigradError, RuntimeError):
    """A backward pass that cannot give a correct gradient: freed graph, changed value, ..."""


class GradcheckError(MinigradError, AssertionError):
    """A derivative that disagrees with its function, or a point where it has none."""
