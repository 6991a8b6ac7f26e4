"""The two paces of a lesson."""

from __future__ import annotations

import pytest

from minigrad.course import full_or_fast


@pytest.mark.parametrize(("value", "taken"), [(None, 10), ("", 10), ("0", 10), ("1", 3)])
def test_the_environment_decides(monkeypatch, value, taken):
    monkeypatch.delenv("MINIGRAD_FAST", raising=False)
    if value is not None:
        monkeypatch.setenv("MINIGRAD_FAST", value)
    assert full_or_fast(10, fast=3) == taken
