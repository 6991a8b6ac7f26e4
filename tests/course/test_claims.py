"""Claims: when one holds, and how they are written down."""

from __future__ import annotations

import json

import pytest

from minigrad.course import Claim, record
from minigrad.course.claims import table
from minigrad.errors import ArgumentError

NAN = float("nan")


@pytest.mark.parametrize(
    ("measured", "tolerance", "holds"),
    [(1.0, 0.0, True), (1.25, 0.25, True), (0.75, 0.25, True), (1.26, 0.25, False),
     (0.74, 0.25, False), (NAN, 1.0, False), (float("inf"), 1e300, False)],
)  # fmt: skip
def test_holds_within_the_tolerance_on_both_sides(measured, tolerance, holds):
    assert Claim("law", 1.0, measured, tolerance, "source").holds is holds


@pytest.mark.parametrize("tolerance", [-0.1, NAN])
def test_a_tolerance_must_be_a_number_of_at_least_0(tolerance):
    with pytest.raises(ArgumentError, match=r"Claim 'law': tolerance must be at least 0"):
        Claim("law", 1.0, 1.0, tolerance, "source")


def test_record_writes_every_claim_and_prints_the_table(tmp_path, capsys):
    claims = [Claim("one", 1, 1.23456789, 0.5, "a"), Claim("two", 2, 3, 0.5, "b")]
    record(claims, tmp_path / "claims.json")
    assert json.loads((tmp_path / "claims.json").read_text("utf-8")) == [
        {"law": "one", "predicted": 1.0, "measured": 1.23457, "tolerance": 0.5, "holds": True,
         "source": "a"},
        {"law": "two", "predicted": 2.0, "measured": 3.0, "tolerance": 0.5, "holds": False,
         "source": "b"},
    ]  # fmt: skip
    assert capsys.readouterr().out.strip() == table(claims)
    assert [line.split()[-1] for line in table(claims).splitlines()] == ["holds", "yes", "NO"]


def test_a_number_that_json_does_not_know_becomes_null(tmp_path):
    record([Claim("law", 1, NAN, 0.5, "a")], tmp_path / "claims.json")
    found = json.loads((tmp_path / "claims.json").read_text("utf-8"))
    assert found[0]["measured"] is None and found[0]["holds"] is False


def test_long_laws_are_wrapped_not_cut():
    law = "a law that is told in far more words than one line of the table has room for, really"
    lines = table([Claim(law, 1, 1, 0, "a")]).splitlines()
    assert max(map(len, lines)) <= 96
    assert " ".join([lines[1][:52].strip(), *lines[2:]]) == law


@pytest.mark.parametrize("laws", [[], ["same", "same"]])
def test_record_refuses_no_claim_and_the_same_law_twice(laws, tmp_path):
    with pytest.raises(ArgumentError, match="each law once"):
        record([Claim(law, 1, 1, 0, "a") for law in laws], tmp_path / "claims.json")
    assert not (tmp_path / "claims.json").exists()
