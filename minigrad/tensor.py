"""Tensor: an array that remembers how it was made.

The class knows arrays, nodes and names. It knows no operation: `minigrad.ops` binds those to it,
and `minigrad.autograd` binds the walk backward.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import backend
from minigrad.backend import CPU, Array, Device
from minigrad.errors import DtypeError, GraphError, ShapeError
from minigrad.tape import Node, RemovableHandle, last_write, leaf, next_serial_number

_new = object.__new__


class Tensor:
    """An n-dimensional array of numbers that can be differentiated through.

    `Tensor(data)` shares memory with an array of a supported dtype; `mg.tensor(data)` copies,
    and is what most code wants.

    Arguments:
        data: an array, a number, or a nested list of numbers. Python floats become float32.
        requires_grad: record what is computed from it, so that `backward()` fills `.grad`.

    Attributes:
        data: the raw array, of shape `shape`. `p.data -= step` writes in place.
        grad: None, or a Tensor of the same shape and dtype: the gradient so far.
        device: where the array lives.

    >>> import minigrad as mg
    >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.])
    """

    # _version is a list of one number, shared by all tensors on the same memory. A view has the
    # tensor that it shows as _base, and that one keeps its views in _views (see `inplace`).
    __slots__ = ("__weakref__", "_base", "_data", "_grad", "_node", "_version", "_views", "device")

    # NumPy operands on the left leave the operation to the tensor.
    __array_ufunc__ = None

    _data: Array
    _node: Node | None
    _grad: Tensor | None
    _base: Tensor | None
    _version: list[int]
    _views: weakref.WeakValueDictionary[int, Tensor] | None
    device: Device

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        if data is None:
            raise DtypeError(
                "tensor: expected numbers, got None; does the function that should have made them "
                "return something?"
            )
        self._version = data._version if isinstance(data, Tensor) else [0]
        if isinstance(data, Tensor):
            data = data._data
        self.device = backend.device_of(data)
        self._data = self.device.xp.asarray(data, dtype=backend.default_dtype_of(data))
        backend.check_dtype(self._data.dtype)
        self._node = self._grad = self._base = self._views = None
        if requires_grad:
            self.requires_grad_()

    # -- gradients ---------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The raw array. Writing into it is seen by nobody: see `mark_written`."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if isinstance(value, Tensor):
            value = value._data
        value = self.device.xp.asarray(value, dtype=backend.default_dtype_of(value))
        if self._node is not None and value.dtype.kind != "f":
            raise DtypeError(
                f"data: a tensor that requires a gradient cannot hold {value.dtype}; "
                "use a floating-point array"
            )
        if value is self._data:  # `t.data -= step` has written into it
            self.mark_written()
            return
        if (value.shape, value.dtype) != (self._data.shape, self._data.dtype):
            self._reshaped(value)
        # Other memory: what was kept of the old stays as it is, and views go on showing that.
        if self._base is not None and self._base._views is not None:
            self._base._views.pop(id(self), None)
        self._data = value
        self._version, self._base, self._views = [0], None, None

    def _reshaped(self, value: Array) -> None:
        """Make ready for data of another shape or dtype; a graph made before keeps its node."""
        if self._node is not None and not self.is_leaf:
            raise ShapeError(
                f"data: '{self._node.op.name}' computed this tensor as {self.dtype} of shape "
                f"{self.shape}; it cannot become {value.dtype} of shape {value.shape}. Use "
                "t.detach() for a tensor without that history"
            )
        self._grad = None
        if self._node is not None:
            self._node.watched().tensor = None
            self._data = value
            self._node = leaf(self)

    @property
    def grad(self) -> Tensor | None:
        """The gradient so far, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise DtypeError(
                    f"grad: expected a Tensor or None, got {type(value).__name__}; "
                    "wrap an array as mg.tensor(array)"
                )
            if value.shape != self.shape or value.dtype != self.dtype:
                raise ShapeError(
                    f"grad: the tensor is {self.dtype} of shape {self.shape}, the gradient "
                    f"{value.dtype} of shape {value.shape}; make them equal"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def requires_grad(self) -> bool:
        """Whether what is computed from this tensor is recorded."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start (or, for a leaf, stop) recording what is computed from this tensor.

        Raises:
            DtypeError: an integer or bool tensor; only floating point has gradients.
            GraphError: stopping it on a tensor that an operation made; use `detach()`.

        >>> import minigrad as mg
        >>> mg.ones(2).requires_grad_()
        tensor([1., 1.], requires_grad=True)
        """
        if requires_grad and self._node is None:
            if self._data.dtype.kind != "f":
                raise DtypeError(
                    f"requires_grad: a tensor of dtype {self.dtype} has no gradient; "
                    "convert it first, e.g. t.astype(mg.float32)"
                )
            self._node = leaf(self)
        elif not requires_grad and self._node is not None:
            if not self.is_leaf:
                raise GraphError(
                    f"requires_grad: '{self._node.op.name}' computed this tensor from others that "
                    "require a gradient; use t.detach() for one that does not"
                )
            self._node = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return self._node is None or self._node.op is None

    @property
    def grad_fn(self) -> Node | None:
        """The recorded operation that made this tensor; None for a leaf."""
        return None if self.is_leaf else self._node

    def detach(self) -> Tensor:
        """The same memory without the history: gradients stop here.

        >>> import minigrad as mg
        >>> x = mg.ones(2, requires_grad=True)
        >>> (x * 2).detach().requires_grad
        False
        """
        out = wrap(self._data, self.device)
        out._version = self._version
        return out

    def retain_grad(self) -> None:
        """Let `backward()` fill `.grad` of this computed tensor too.

        Raises:
            GraphError: the tensor does not require a gradient.
        """
        node = self._tracked("retain_grad")
        node.watched().tensor = weakref.ref(self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(grad)` in backward, with this tensor's whole gradient, before it goes on.

        Arguments:
            hook: gets the gradient as a Tensor of this tensor's shape; what it returns, unless
                None, goes on in its place. It must not write into the one that it gets.

        Returns:
            A handle; `handle.remove()` takes the hook off.

        Raises:
            GraphError: the tensor does not require a gradient.

        >>> import minigrad as mg
        >>> x = mg.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> (x * 3).sum().backward()
        >>> x.grad
        tensor([30., 30.])
        """
        node = self._tracked("register_hook")
        return RemovableHandle(node.watched().hooks, hook)

    def mark_written(self) -> None:
        """Note a change of the array, so that a backward that needs the old values can tell.

        In-place operations and assigning `data` do so themselves; call it after writing into
        `t.data[...]` directly.
        """
        self._version[0] += 1
        last_write.serial = next_serial_number()

    def _tracked(self, asked: str) -> Node:
        if self._node is None:
            raise GraphError(
                f"{asked}: this tensor (shape {self.shape}) does not require a gradient; make it "
                "with requires_grad=True, or compute it from one that does, outside no_grad"
            )
        return self._node

    # -- what the array says -----------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements, a NumPy dtype."""
        return self._data.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes (`dim()` is the same)."""
        return self._data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements (NumPy's meaning; `numel()` is the same)."""
        return self._data.size  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        """The memory that the elements take, in bytes."""
        return self._data.nbytes  # type: ignore[no-any-return]

    def numel(self) -> int:
        """The number of elements."""
        return self.size

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def __len__(self) -> int:
        if not self.ndim:
            raise ShapeError("len: a 0-d tensor has no length; use t.item() for its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        for i in range(len(self)):
            yield self[i]

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self.shape} is neither true nor false; "
                "use t.any() or t.all()"
            )
        return bool(self._data.reshape(()))

    # A tensor is a key by identity, as `==` compares elements.
    __hash__ = object.__hash__

    # -- leaving the tensor world ------------------------------------------------------------

    def item(self) -> Any:
        """The value of a one-element tensor as a Python number.

        Raises:
            ShapeError: it holds more than one element, or none.

        >>> import minigrad as mg
        >>> mg.tensor([2.5]).item()
        2.5
        """
        if self.size != 1:
            raise ShapeError(f"item: shape {self.shape} holds {self.size} elements, not one")
        return self._data.item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._data.dtype.kind not in "iu":
            raise DtypeError(f"index: a tensor of dtype {self.dtype} is no index; use integers")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def numpy(self) -> np.ndarray:
        """The array itself, sharing memory (from a GPU: a copy).

        Raises:
            GraphError: the tensor requires a gradient, which would be lost on the way.
        """
        if self._node is not None:
            raise GraphError(
                "numpy: this tensor requires a gradient, which a NumPy array cannot carry; "
                "use t.detach().numpy() (or t.data) if that is what you want"
            )
        return self.device.to_host(self._data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if copy is None:
            return np.asarray(array, dtype=dtype)
        return np.array(array, dtype=dtype, copy=copy)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """NumPy's functions (`np.mean(t)`) compute on the array, and return arrays.

        Raises:
            GraphError: the tensor requires a gradient, which would be lost.
        """
        name = func.__name__

        def plain(x: Any) -> Any:
            if isinstance(x, list | tuple):
                return type(x)(plain(item) for item in x)
            if isinstance(x, Tensor) and x._node is not None:
                raise GraphError(
                    f"np.{name}: a tensor that requires a gradient would lose it in NumPy; use "
                    f"mg.{name}, or np.{name} on t.data"
                )
            return x.numpy() if isinstance(x, Tensor) else x

        return func(*plain(args), **{key: plain(value) for key, value in kwargs.items()})

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self._node is not None:
            raise GraphError(
                "dlpack: this tensor requires a gradient, which the other library would not see; "
                "pass t.detach()"
            )
        return self._data.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """The values as (nested) Python lists; a number for a 0-d tensor."""
        return self._data.tolist()

    def cpu(self) -> Tensor:
        """This tensor on the host: `to("cpu")`."""
        return self.to("cpu")

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise GraphError(
                "deepcopy: this tensor was computed from others; copy t.detach(), or the leaves"
            )
        out = type(self)(self._data.copy(), requires_grad=self.requires_grad)
        memo[id(self)] = out
        if self._grad is not None:
            out._grad = wrap(self._grad._data.copy(), self.device)
        return out

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GraphError("pickle: this tensor was computed from others; pickle t.detach()")
        return type(self), (self.device.to_host(self._data), self.requires_grad)

    def __repr__(self) -> str:
        body = np.array2string(
            self.device.to_host(self._data), separator=", ", prefix="tensor(", precision=4
        )
        notes = [] if self.size else [f"shape={self.shape}"]
        if self.dtype not in (np.float32, np.int64, np.bool_) or not self.size:
            notes.append(f"dtype={self.dtype}")
        if self.device is not CPU:
            notes.append(f"device='{self.device.name}'")
        if not self.is_leaf:
            notes.append(f"grad_fn=<{self.grad_fn.op.name}>")  # type: ignore[union-attr]
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join([body, *notes])})"

    if TYPE_CHECKING:  # bound by minigrad.autograd, minigrad.ops and minigrad.inplace
        _Op = Callable[..., "Tensor"]
        backward: Callable[..., None]
        __add__: _Op
        __radd__: _Op
        __sub__: _Op
        __rsub__: _Op
        __mul__: _Op
        __rmul__: _Op
        __truediv__: _Op
        __rtruediv__: _Op
        __floordiv__: _Op
        __rfloordiv__: _Op
        __mod__: _Op
        __rmod__: _Op
        __pow__: _Op
        __rpow__: _Op
        __matmul__: _Op
        __rmatmul__: _Op
        __neg__: _Op
        __pos__: _Op
        __abs__: _Op
        __lt__: _Op
        __le__: _Op
        __gt__: _Op
        __ge__: _Op
        __and__: _Op
        __or__: _Op
        __xor__: _Op
        __invert__: _Op
        __getitem__: _Op
        __setitem__: Callable[..., None]
        T: Tensor
        mT: Tensor

        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __getattr__(self, name: str) -> _Op: ...


def wrap(data: Array, device: Device, node: Node | None = None) -> Tensor:
    """A Tensor around an array that is known to be good: the fast way in for operations."""
    out: Tensor = _new(Tensor)
    out._data = data
    out.device = device
    out._node = node
    out._grad = out._base = out._views = None
    out._version = [0]
    return out


def share_memory(view: Tensor, base: Tensor) -> None:
    """Note that `view` shows memory of `base`, if it does: a write to one changes the other."""
    if not base.device.xp.may_share_memory(view._data, base._data):
        return
    root = base if base._base is None else base._base
    view._base = root
    view._version = root._version
    if root._views is None:
        root._views = weakref.WeakValueDictionary()
    root._views[id(view)] = view
