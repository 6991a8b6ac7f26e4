"""What a beginner may get wrong in calling a diagnostic: one message, with the cure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import (
    Probe,
    Recording,
    detect_anomaly,
    diagnose,
    draw_graph,
    plots,
    predict,
    theory,
)
from minigrad.errors import ArgumentError, GraphError, MinigradError
from minigrad.models import deep_mlp


@pytest.fixture
def net() -> nn.Module:
    return deep_mlp(3, 8, generator=mg.Generator(0))


@pytest.fixture
def probe(net) -> Probe:
    optimizer = mg.optim.SGD(net.parameters(), lr=0.1)
    with Probe(net, optimizer, full=1) as probe:
        for _ in range(2):
            loss = net(mg.ones(5, 64)).sum()
            loss.backward()
            probe.note(loss=loss)
            optimizer.step()
    return probe


# -- figures -------------------------------------------------------------------------------------

W = mg.ones(2, requires_grad=True)
FIGURES = [
    plots.decay, plots.heatmap, plots.ridge, plots.update_ratio, plots.saturation,
    plots.loss_curves, lambda _, ax: plots.spectrum([2.0, 1.0], ax=ax),
    lambda _, ax: plots.schedule([0.1, 0.2], ax=ax), lambda _, ax: draw_graph(W + 1.0, ax=ax),
]  # fmt: skip


@pytest.mark.parametrize("draw", FIGURES)
def test_ax_must_be_one_axes(probe, draw):
    figure, axes = plt.subplots(1, 2)
    try:
        for wrong, told in (
            (axes, r"got 2 of them; pick one, such as axes\.flat\[0\]"),
            (figure, r"got a Figure; take some of it, ax=figure\.add_subplot\(\)"),
            ("left", "got a str; leave it out"),
        ):
            with pytest.raises(ArgumentError, match=rf"ax must be one Axes of Matplotlib, {told}"):
                draw(probe, ax=wrong)
    finally:
        plt.close("all")


@pytest.mark.parametrize("width", ["12", True, [3], 0])
def test_a_width_is_a_number(probe, width):
    with pytest.raises(ArgumentError, match=r"dashboard: width must be above 0 inches, got "):
        plots.dashboard(probe, width=width)


# -- networks and training -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: deep_mlp(3, 8, generator=0),
        lambda: nn.Linear(2, 3, generator=0),
        lambda: mg.randn(3, generator=0),
        lambda: nn.init.critical_(deep_mlp(3, 8), "tanh", generator=0),
    ],
)
def test_a_seed_is_no_generator(make):
    with pytest.raises(ArgumentError, match=r"must be a Generator, got 0; .* mg\.Generator\(0\)"):
        make()


@pytest.mark.parametrize(
    ("loss", "told"),
    [("cross_entropy", "'cross_entropy'"), (nn.CrossEntropyLoss, "the class CrossEntropyLoss")],
)
def test_the_loss_of_fit_is_a_function(net, loss, told):
    data = [(mg.ones(5, 64), mg.zeros(5, dtype=mg.int64))]
    with pytest.raises(ArgumentError, match=f"fit: loss must be a function .* got {told}"):
        mg.train.fit(net, data, mg.optim.SGD(net.parameters(), lr=0.1), loss, 1, progress=False)


@pytest.mark.parametrize(("wrong", "told"), [(mg.optim.SGD, "the class SGD"), (0.1, "float")])
def test_diagnose_takes_a_made_optimizer(net, wrong, told):
    data = mg.ones(5, 64), mg.zeros(5, dtype=mg.int64)
    with pytest.raises(ArgumentError, match=rf"diagnose: optimizer must be one of .* got {told}"):
        diagnose(net, data, optimizer=wrong)


# -- detect_anomaly ------------------------------------------------------------------------------


def test_detect_anomaly_wants_its_brackets(net):
    with pytest.raises(GraphError, match=r"are missing; write `with det.*\(\):`"), detect_anomaly:
        pass
    for wrong in (net, lambda: None):
        with pytest.raises(ArgumentError, match="takes no model and no function; write `with de"):
            detect_anomaly(wrong)


def test_a_forward_before_the_block_is_to_be_moved_inside():
    x = mg.tensor([0.0], requires_grad=True)
    y = mg.sqrt(x)
    with pytest.raises(MinigradError, match="began; move it inside"), detect_anomaly():
        y.sum().backward()


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("write", "suffix"), [("to_csv", ".csv"), ("to_jsonl", ".jsonl")])
def test_what_load_would_not_read_is_not_written(probe, tmp_path, write, suffix):
    for name in ("x", "x.txt", "x.csv.jsonl.bak"):
        with pytest.raises(
            ArgumentError, match=rf"{write}: .* does not end in \{suffix}, by which"
        ):
            getattr(probe, write)(tmp_path / name)
    with pytest.raises(ArgumentError, match=rf"{write}: there is no folder '.*nodir'; make it fir"):
        getattr(probe, write)(tmp_path / "nodir" / f"x{suffix}")
    assert list(tmp_path.iterdir()) == []
    getattr(probe, write)(tmp_path / f"x{suffix.upper()}")
    assert Recording.load(tmp_path / f"x{suffix.upper()}").layers == probe.layers


def test_a_table_that_pandas_wrote_with_its_row_numbers_is_read(probe, tmp_path):
    pytest.importorskip("pandas")
    probe.to_dataframe().to_csv(tmp_path / "f.csv")
    found = Recording.load(tmp_path / "f.csv")
    np.testing.assert_array_equal(found.series("dz_rms"), probe.series("dz_rms"))


# -- data ----------------------------------------------------------------------------------------


def test_x_and_y_of_diagnose_belong_together(net):
    x = mg.randn(1797, 64, generator=mg.Generator(0))
    y = mg.zeros(1797, dtype=mg.int64)
    for rows in (1797, 100):
        with pytest.raises(ArgumentError, match=f"diagnose: x has {rows} examples, y has 5; pass"):
            diagnose(net, (x[:rows], y[:5]))
    with pytest.raises(
        ArgumentError, match=r"returns shape \(512, 10\), and y, of float32, has shape \(512,\); cl"
    ):
        diagnose(net, (x, y.to(mg.float32)))


def test_a_loss_of_ones_own_may_take_targets_of_another_length(net):
    x, y = mg.randn(1000, 64, generator=mg.Generator(0)), mg.zeros(5, dtype=mg.int64)
    found = diagnose(net, (x, y), loss_fn=lambda output, y: (output**2).mean() + y.sum())
    assert len(found.layers) == 3


def test_a_probe_is_no_batch(net, probe):
    with pytest.raises(ArgumentError, match=r"predict: x is a Probe; .* predict\(model, x\)\.over"):
        predict(net, probe)
    with pytest.raises(ArgumentError, match="predict: x is set; it takes a batch of numbers"):
        predict(net, {1.0})


# -- the probe -----------------------------------------------------------------------------------


def test_a_note_is_checked_also_between_records_and_outside(net):
    probe = Probe(net, every=5)
    with pytest.raises(GraphError, match="nothing is recorded outside of the `with probe:` block"):
        probe.note(loss=1.0)
    with probe:
        for step in range(3):
            net(mg.ones(5, 64)).sum().backward()
            probe.note(loss=step)
            with pytest.raises(ArgumentError, match=r"note: loss must be one number, .* got 'a'"):
                probe.note(loss="a")
    assert probe.loss.tolist() == [0.0]
    probe.note(loss=1.0)  # of the step that the end of the block ended
    with pytest.raises(GraphError, match="outside of the `with probe:` block; call it inside"):
        probe.note(loss=1.0)


class Hidden(nn.Module):
    def __init__(self, layers) -> None:
        super().__init__()
        self.layers = layers


def test_layers_in_a_plain_list_are_told_where_to_go():
    layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    for held, told in (
        (layers, r"self\.layers, a plain list, .* write self\.layers = nn\.ModuleList\(\.\.\.\)"),
        ({"a": layers[0]}, r"self\.layers, a plain dict, .* = nn\.ModuleDict\(\.\.\.\)"),
    ):
        with pytest.raises(
            ArgumentError, match="no layer with weights to look at; those in " + told
        ):
            Probe(Hidden(held))
    with pytest.raises(
        ArgumentError, match=r"no parameters; .* in an nn\.ModuleList, but not in a"
    ):
        mg.optim.SGD(Hidden(layers).parameters(), lr=0.1)


# -- theory, and the list of all names -----------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: theory.chi("tanh", 1.5), r"got 'tanh'; the activation goes by its name, activat"),
        (
            lambda: theory.chi("swish", 1.5),
            r"chi: q must be .* got 'swish'; if that is to be an act",
        ),
        (
            lambda: theory.chi("0.5", 1.5),
            r"q must be a number .* got '0.5'; write it without quotes",
        ),
        (lambda: theory.chi(nn.Tanh(), 1.5), r"q must be a .*; the activation goes by its name, "),
        (lambda: theory.chi(0.5, 1.5, 3), r"activation must be a name such as 'tanh', .* got 3"),
    ],
)
def test_theory_tells_numbers_from_activations(call, told):
    with pytest.raises(ArgumentError, match=told):
        call()


def test_the_package_lists_each_of_its_names_with_a_line():
    from minigrad import diagnostics

    lines = [line for line in (diagnostics.__doc__ or "").splitlines() if line.startswith("    ")]
    assert sorted(line.split()[0] for line in lines) == sorted(diagnostics.__all__)
    assert min(len(line.split()) for line in lines) > 2 and len(lines) > 30
