"""The first call of an operation compiles it, and that is all that anybody may notice."""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import pickle
import pydoc
import sys
import threading
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.codegen import RESERVED
from minigrad.ops.table import op
from minigrad.tape import Node


def new_operation() -> Any:
    """An operation that nobody has called."""
    return op(
        "scaled",
        lambda xp, a, b, *, times=3: times * a * b,
        a=lambda g, b, times: times * g * b,
        b=lambda g, a, times: times * g * a,
    )


def test_first_call_gives_the_function_its_code_for_good():
    scaled = new_operation()
    held_before = scaled
    before = scaled.__code__
    assert scaled(2.0, 1.0).item() == 6
    compiled = held_before.__code__
    assert compiled is not before
    assert held_before(2.0, 1.0, times=4).item() == 8
    assert held_before.__code__ is compiled


def test_code_of_one_operation_is_not_given_to_another():
    first, second = new_operation(), op("halved", lambda xp, x: x / 2)
    assert first(2.0, 1.0).item() == 6
    assert second(2.0).item() == 1
    assert first(2.0, 1.0).item() == 6


@pytest.mark.parametrize("called", [False, True])
def test_parameters_are_shown(called):
    scaled = new_operation()
    if called:
        scaled(1.0, 2.0)
    assert str(inspect.signature(scaled)) == "(a, b, *, times=3)"
    assert "scaled(a, b, *, times=3)" in pydoc.plain(pydoc.render_doc(scaled))
    assert (scaled.__name__, scaled.__qualname__, scaled.__module__) == (
        "scaled", "scaled", __name__,
    )  # fmt: skip


@pytest.mark.parametrize("called", [False, True])
def test_wrong_arguments_are_refused_by_name(called):
    scaled = new_operation()
    if called:
        scaled(1.0, 2.0)
    with pytest.raises(TypeError, match=r"scaled\(\) missing 1 required positional argument: 'b'"):
        scaled(1.0)
    with pytest.raises(TypeError, match=r"scaled\(\) got an unexpected keyword argument 'tims'"):
        scaled(1.0, 2.0, tims=4)


def test_first_call_may_fail():
    scaled = new_operation()
    with pytest.raises(mg.errors.ShapeError, match=r"scaled: shapes \(2,\), \(3,\)"):
        scaled(mg.ones(2), mg.ones(3))
    assert scaled(2.0, 1.0).item() == 6


def test_threads_may_make_the_first_call_together():
    def call(operation: Any, start: threading.Barrier, found: list[float]) -> None:
        start.wait()
        found.append(operation(2.0, 1.0).item())

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            start, found, shared = threading.Barrier(4), [], new_operation()
            threads = [threading.Thread(target=call, args=(shared, start, found)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert found == [6.0] * 4
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("called", [False, True])
def test_source_is_the_text_of_the_function(called):
    scaled = new_operation()
    if called:
        scaled(1.0, 2.0)
    made: dict[str, Any] = {}
    exec(str(scaled.source), made)
    scaled(1.0, 2.0)
    assert made["scaled"].__code__.co_code == scaled.__code__.co_code
    assert str(scaled.source).startswith("def scaled(a, b, *, times):")


OPERATIONS = {
    "a rule per argument": new_operation(),
    "one rule for all": op("a", lambda xp, x: x, lambda g, needs: [g]),
    "any number of arguments": op("b", lambda xp, *xs: xs[0], lambda g, needs, xs_shapes: [g]),
    "a view": op("c", lambda xp, x: x[:], is_view=True),
}


@pytest.mark.parametrize("kind", OPERATIONS)
def test_names_that_a_text_uses_are_refused_as_arguments(kind):
    operation = OPERATIONS[kind]
    made: dict[str, Any] = {}
    exec(str(operation.source), made)
    code = made[operation.__name__].__code__
    globals_ = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    arguments = {*operation.spec.arguments, *operation.spec.parameters}
    own = {f"{a}{end}" for a in arguments for end in ("", "_", "_node")}
    own |= {"t"}  # Python 3.12 lists the variable of a comprehension, which disturbs no other
    assert (globals_ | {*code.co_varnames}) - own - {*dir(builtins)} <= RESERVED


def test_reserved_names_are_refused():
    with pytest.raises(TypeError, match=r"^op odd: the names \['node'\] are taken"):
        op("odd", lambda xp, node: node)


@pytest.mark.parametrize("name", ["multiply", "exp", "where", "equal"])
def test_operations_can_be_pickled(name):
    operation = getattr(mg, name)
    assert pickle.loads(pickle.dumps(operation)) is operation


def test_recorded_operation_fills_every_slot():
    # The text writes out what Tensor and Node would do themselves when they are made.
    out = new_operation()(mg.ones(2, requires_grad=True), mg.ones(2))
    missing = [s for s in mg.Tensor.__slots__ if s != "__weakref__" and not hasattr(out, s)]
    missing += [s for s in Node.__slots__ if not hasattr(out._node, s)]
    assert missing == []


def test_results_are_plain_arrays():
    class Special(np.ndarray):
        pass

    special = op("special", lambda xp, x: x.view(Special))
    assert type(special(mg.ones(2)).data) is np.ndarray
    total = op("total", lambda xp, x: xp.sum(x))
    assert type(total(mg.ones(2)).data) is np.ndarray


@pytest.mark.parametrize(
    "forward", [np.exp, functools.partial(np.add, 1), lambda *xs: xs, lambda: 0], ids=repr
)
def test_forward_without_readable_parameters_is_refused(forward):
    with pytest.raises(TypeError, match=r"^op odd: "):
        op("odd", forward)


def test_rule_that_takes_anything_is_refused():
    with pytest.raises(TypeError, match=r"^op odd: a rule names \['rest'\]"):
        op("odd", lambda xp, x: x, x=lambda g, *rest: g)
    with pytest.raises(TypeError, match=r"^op odd: expected functions made with def or lambda"):
        op("odd", lambda xp, x: x, x=np.negative)
