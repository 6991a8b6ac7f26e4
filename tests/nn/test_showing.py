"""What a network shows of itself in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import minigrad as mg
from minigrad import nn


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.caption = ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1] += data


def parsed(model: nn.Module) -> _Cells:
    parser = _Cells()
    parser.feed(model._repr_html_())
    parser.close()
    assert not parser.open
    return parser


def test_a_line_per_layer_and_the_sum_of_all():
    net = mg.models.deep_mlp(3, 8, norm="batch")
    found = parsed(net)
    total = sum(p.size for p in net.parameters())
    assert found.caption == f"Sequential: {total:,} parameters"
    assert found.rows[0] == ["path", "layer", "parameters", "count"]
    assert [row[0] for row in found.rows[1:]] == [
        "layer1.linear", "layer1.norm", "layer1.act",
        "layer2.linear", "layer2.norm", "layer2.act", "layer3.linear",
    ]  # fmt: skip
    assert found.rows[1][2:] == ["weight (8, 64), bias (8,)", "520"]
    assert found.rows[3][1:] == ["Tanh()", "", ""]
    assert sum(int(row[3].replace(",", "") or 0) for row in found.rows[1:]) == total


def test_shared_and_frozen_parameters_say_so_and_count_once():
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    first.requires_grad_(False)
    found = parsed(nn.Sequential(first, second, first))
    assert found.caption == "Sequential: 9 parameters"
    assert [row[2:] for row in found.rows[1:]] == [
        ["weight (3, 3) (frozen)", "9"], ["weight (3, 3) (shared, frozen)", "0"],
    ]  # fmt: skip


def test_names_cannot_break_the_page():
    class Odd(nn.Module):
        def extra_repr(self):
            return "<script>alert('x & y')</script>"

    model = nn.Module()
    model.register_module("<b>&amp;", Odd())
    found = parsed(model)
    assert found.rows[1][:2] == ["<b>&amp;", "Odd(<script>alert('x & y')</script>)"]


def test_a_single_layer_and_one_without_anything():
    assert parsed(nn.Linear(2, 1)).rows[1] == [
        "", "Linear(in_features=2, out_features=1, bias=True)", "weight (1, 2), bias (1,)", "3",
    ]  # fmt: skip
    assert parsed(nn.Tanh()).caption == "Tanh: 0 parameters"
