"""Ctrl-C may come at any line of the probe: it comes out, and leaves no half a record."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe, compare, detect_anomaly, probing
from minigrad.errors import MinigradError

HERE = str(Path(probing.__file__).parent)


def interrupt_at(number: int) -> Callable[[], int]:
    """Raise KeyboardInterrupt at so manyth line that runs in the probe's files, from now on.

    Returns:
        What tells how many such lines have run.
    """
    lines = 0

    def at_line(frame: Any, event: str, arg: Any) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == number:
                raise KeyboardInterrupt
        return at_line

    sys.settrace(lambda f, *_: at_line if f.f_code.co_filename.startswith(HERE) else None)
    return lambda: lines


def network() -> tuple[nn.Module, Any, mg.Tensor]:
    g = mg.Generator(0)
    model = nn.Sequential(nn.Linear(3, 4, generator=g), nn.Tanh(), nn.Linear(4, 2, generator=g))
    return model, mg.optim.SGD(model.parameters(), lr=0.1), mg.randn(5, 3, generator=g)


def step(model: nn.Module, optimizer: Any, x: mg.Tensor, probe: Probe) -> None:
    model.zero_grad()
    loss = (model(x) ** 2).mean()
    loss.backward()
    probe.note(loss=loss)
    optimizer.step()


def hooks_of(model: nn.Module, optimizer: Any) -> list[Any]:
    held = [module._hooks for module in model.modules()]
    return [hooks for hooks in (*held, optimizer._before, optimizer._after) if hooks]


@pytest.mark.parametrize("told", [True, False], ids=["optimizer", "without"])
def test_ctrl_c_at_any_line_comes_out_and_leaves_whole_records_alone(told):
    number, interrupted = 0, True
    while interrupted:
        number += 1 if number < 40 else 7  # every line would take long
        model, optimizer, x = network()
        probe = Probe(model, optimizer if told else None, full=2)
        try:
            with probe:
                interrupt_at(number)
                try:
                    for _ in range(3):
                        step(model, optimizer, x, probe)
                finally:
                    sys.settrace(None)
            interrupted = False
        except KeyboardInterrupt:
            pass
        assert hooks_of(model, optimizer) == []
        assert len({len(probe._rows), len(probe._losses), len(probe.steps)}) == 1
        assert probe.steps == sorted(set(probe.steps))
        assert max(probe._counts, default=-1) < len(probe)
        assert not np.isnan(probe.series("dz_rms")).any()
        before = len(probe)
        with probe:
            step(model, optimizer, x, probe)
        assert len(probe) == before + 1
        probe.to_dict()
    assert number > 200


def test_ctrl_c_on_entering_takes_the_hooks_off(monkeypatch):
    model, optimizer, x = network()
    probe = Probe(model, optimizer)

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(probe, "_begin_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        probe.__enter__()
    assert hooks_of(model, optimizer) == []
    monkeypatch.undo()
    with probe:
        step(model, optimizer, x, probe)
    assert probe.steps == [0]


def test_the_step_in_which_fit_met_nan_is_kept_as_evidence():
    model, _, x = network()
    optimizer = mg.optim.SGD(model.parameters(), lr=1e30)
    data = mg.data.DataLoader((x, mg.ones(5, 2)), batch_size=5)
    with np.errstate(all="ignore"), pytest.raises(mg.train.Diverged), Probe(model, optimizer) as p:
        mg.train.fit(model, data, optimizer, nn.functional.mse_loss, epochs=9, progress=False)
    assert p.steps == [0, 1] and (p.series("z_rms")[1] > 1e28).all()


def trained(loss: Callable[[mg.Tensor], mg.Tensor], lr: float, context: Any = None) -> Probe:
    """Six steps with a loss; whatever it raises goes through the probe's block."""
    model, optimizer, x = network()
    optimizer.param_groups[0]["lr"] = lr
    probe = Probe(model, optimizer)
    with (
        contextlib.suppress(MinigradError),
        np.errstate(all="ignore"),
        probe,
        context or contextlib.nullcontext(),
    ):
        for _ in range(6):
            optimizer.zero_grad()
            loss(model(x)).backward()
            optimizer.step()
    return probe


def test_a_step_that_failed_for_another_reason_is_no_evidence():
    calls = []

    def loss(out: mg.Tensor) -> mg.Tensor:
        calls.append(out)
        return ((out - mg.ones(5, 2 if len(calls) < 3 else 7)) ** 2).mean()

    probe = trained(loss, lr=0.1)
    assert probe.steps == [0, 1] and "diverged" not in probe.meta


def test_compare_says_that_an_anomaly_ended_a_run():
    probe = trained(lambda out: (out**2).mean(), 1e30, detect_anomaly())
    assert probe.meta["diverged"] == probe.steps[-1] < 5
    assert "lost at step" in str(compare(probe))
