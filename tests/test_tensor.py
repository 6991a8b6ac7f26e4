"""What a Tensor is and refuses to be, apart from derivatives."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, ShapeError
from minigrad.nn import functional as F


def test_dtypes_of_new_tensors():
    assert mg.tensor([1.0, 2.0]).dtype == np.float32
    assert mg.tensor([1, 2]).dtype == np.int64
    assert mg.tensor([True]).dtype == np.bool_
    assert mg.tensor(np.zeros(2)).dtype == np.float64
    assert mg.tensor([1, 2], dtype=mg.float64).dtype == np.float64
    assert mg.zeros(2).dtype == mg.randn(2).dtype == mg.eye(2).dtype == np.float32


def test_python_numbers_do_not_promote_and_arrays_do():
    x = mg.ones(2)
    assert (x * 2.5).dtype == (3 - x).dtype == (x**2).dtype == np.float32
    assert (x * np.ones(2)).dtype == (np.ones(2) * x).dtype == np.float64
    assert isinstance(np.ones(2) * x, mg.Tensor)


def test_tensor_copies_and_as_tensor_shares():
    array = np.zeros(2)
    copied, shared = mg.tensor(array), mg.as_tensor(array)
    array[0] = 7
    assert copied.tolist() == [0, 0]
    assert shared.tolist() == [7, 0]
    assert mg.as_tensor(shared) is shared


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (mg.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (mg.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (mg.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<multiply>)"),
        (mg.tensor(np.array(0.5)), "tensor(0.5, dtype=float64)"),
        (mg.tensor([1, 2]), "tensor([1, 2])"),
        (mg.zeros(0, 3), "tensor([], shape=(0, 3), dtype=float32)"),
    ],
)
def test_repr_is_readable(tensor, text):
    assert repr(tensor) == text


def test_one_element_leaves_as_a_number():
    x = mg.tensor([[2.5]])
    assert x.item() == float(x) == 2.5
    assert int(mg.tensor(3)) == 3
    assert [10, 20, 30][mg.tensor(1)] == 20
    assert f"{mg.tensor(1.234):.2f}" == "1.23"
    assert bool(mg.tensor([0.0])) is False
    with pytest.raises(ShapeError, match=r"item: shape \(2,\) holds 2 elements"):
        mg.ones(2).item()
    with pytest.raises(ShapeError, match=r"bool: .*\(2,\).*any\(\) or t.all\(\)"):
        bool(mg.ones(2))
    with pytest.raises(DtypeError, match="float32 is no index"):
        [1, 2][mg.tensor(1.0)]


def test_length_and_iteration():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(x) == 2
    first, second = x
    (first * second).sum().backward()
    assert x.grad.tolist() == [[3, 4], [1, 2]]
    with pytest.raises(ShapeError, match="0-d tensor has no length"):
        len(mg.tensor(1.0))


def test_numpy_shares_memory_and_refuses_to_lose_a_gradient():
    x = mg.ones(2)
    x.numpy()[0] = 5
    assert x.tolist() == [5, 1]
    assert np.asarray(x).dtype == np.float32
    assert np.array(x, dtype=np.float64).dtype == np.float64
    x.requires_grad_()
    for lose in (x.numpy, lambda: np.asarray(x), lambda: np.from_dlpack(x)):
        with pytest.raises(GraphError, match="detach"):
            lose()
    assert np.from_dlpack(x.detach()).tolist() == [5, 1]


def test_numpy_functions_compute_on_the_array():
    x = mg.tensor([1.0, 3.0])
    assert np.mean(x) == 2.0 and isinstance(np.mean(x), np.floating)
    assert np.concatenate([x, x]).shape == (4,)
    with pytest.raises(GraphError, match=r"np\.mean: .* would lose it .* use mg\.mean"):
        np.mean(x.requires_grad_())


def test_nothing_is_no_number():
    with pytest.raises(DtypeError, match=r"got None; does the function .* return something"):
        F.cross_entropy(None, mg.tensor([1]))


def test_asking_an_integer_for_a_gradient():
    for ask in (
        lambda: mg.tensor([1, 2], requires_grad=True),
        lambda: mg.tensor([True]).requires_grad_(),
    ):
        with pytest.raises(DtypeError, match=r"has no gradient; convert it first.*float32"):
            ask()


@pytest.mark.parametrize("data", ["text", [1j], [None], np.array(["a"])])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(DtypeError, match="not supported"):
        mg.tensor(data)


def test_ragged_lists_are_refused():
    with pytest.raises(ArgumentError, match="rows of different lengths"):
        mg.tensor([[1.0], [1.0, 2.0]])


def test_leaf_flags():
    x = mg.ones(2, requires_grad=True)
    y = x * 2
    assert x.is_leaf and not y.is_leaf and y.detach().is_leaf
    assert x.grad_fn is None and y.grad_fn.op.name == "multiply"
    with pytest.raises(GraphError, match="'multiply' computed this tensor"):
        y.requires_grad = False
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_assigning_grad_is_checked():
    x = mg.ones(2, requires_grad=True)
    x.grad = mg.ones(2)
    assert x.grad.tolist() == [1, 1]
    with pytest.raises(ShapeError, match=r"shape \(2,\), the gradient float32 of shape \(3,\)"):
        x.grad = mg.ones(3)
    with pytest.raises(ShapeError, match="float64"):
        x.grad = mg.ones(2, dtype=mg.float64)
    with pytest.raises(DtypeError, match="expected a Tensor or None, got ndarray"):
        x.grad = np.ones(2)
    del x.grad
    assert x.grad is None


def test_both_idioms_of_a_by_hand_update():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    memory = w.data
    (w * 3).sum().backward()
    w.data -= 0.1 * w.grad.data
    with mg.no_grad():
        w -= 0.1 * w.grad
    assert w.data is memory and w.is_leaf and w.requires_grad
    np.testing.assert_allclose(w.data, [0.4, 1.4], rtol=1e-6)


def test_copies():
    x = mg.tensor([1.0], requires_grad=True)
    (x * 2).sum().backward()
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.requires_grad and other.is_leaf and other.tolist() == [1]
        assert not np.shares_memory(other.data, x.data)
    assert copy.deepcopy(x).grad.tolist() == [2]
    assert not x.detach().requires_grad and np.shares_memory(x.detach().data, x.data)
    assert x.clone().grad_fn is not None and not np.shares_memory(x.clone().data, x.data)
    with pytest.raises(GraphError, match=r"copy t\.detach\(\)"):
        copy.deepcopy(x * 2)


def test_to_converts_and_finds_devices():
    x = mg.ones(2)
    assert x.to("cpu") is x
    assert x.to(mg.float64).dtype == x.double().dtype == np.float64
    assert x.to("float16").dtype == x.to(dtype=mg.float16).dtype == np.float16
    assert x.to(device="cpu", dtype=mg.float64).dtype == np.float64
    assert x.to(mg.float32) is x
    with pytest.raises(ArgumentError, match="unknown 'tpu'; valid: 'cpu', 'cuda', 'cuda:N'"):
        x.to("tpu")


def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(ArgumentError, match="CuPy"):
        mg.ones(2).to("cuda:99")


def test_generators_repeat_and_do_not_disturb_each_other():
    a, b = mg.Generator(3), mg.Generator(3)
    assert (mg.randn(4, generator=a) == mg.randn(4, generator=b)).all()
    layer = mg.Generator(3).fork("layers.1").normal((2,))
    parent = mg.Generator(3)
    parent.fork("layers.0")
    parent.normal((5,))
    assert (parent.fork("layers.1").normal((2,)) == layer).all()
    assert (parent.fork("layers.2").normal((2,)) != layer).all()
    with pytest.raises(ArgumentError, match="non-negative integer"):
        mg.manual_seed(-1)


def test_uniform_numbers_stay_below_one():
    draws = mg.rand(200_000, dtype=mg.float16, generator=mg.Generator(0))
    assert float(draws.max()) < 1


def test_arange_of_numpy_and_tensor_floats():
    assert mg.arange(np.float32(0.5), 3).tolist() == [0.5, 1.5, 2.5]
    assert mg.arange(mg.tensor(0.5), 2).dtype == np.float32
    assert mg.arange(np.int32(3)).dtype == np.int64


def test_manual_seed_repeats_every_kind_of_draw():
    def draw():
        mg.manual_seed(5)
        return [
            t.tolist() for t in (mg.rand(3), mg.randn(3), mg.randint(0, 9, (3,)), mg.randperm(5))
        ]

    assert draw() == draw()
