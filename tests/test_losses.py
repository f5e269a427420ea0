"""Losses against automatic differentiation, PyTorch's own modules and the Fenchel-Young inequality."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.losses import LOSSES, Loss, as_loss

SCALAR = [sl.Squared(), sl.Logistic(), sl.Hinge(), sl.SquaredHinge(), sl.Huber(0.7), sl.Poisson(), sl.Quantile(0.3)]
scores = st.lists(st.floats(-30, 30), min_size=1, max_size=8)


def targets(loss: Loss, n: int, seed: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    if loss.targets == "binary":
        return torch.randint(0, 2, (n,), generator=g).double() * 2 - 1
    if loss.targets == "counts":
        return torch.randint(0, 5, (n,), generator=g).double()
    return torch.randn(n, generator=g, dtype=torch.float64) * 3


@pytest.mark.parametrize("loss", SCALAR, ids=str)
@given(z=scores, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_gradient_is_the_derivative_of_the_value(loss, z, seed):
    z = torch.tensor(z, dtype=torch.float64)
    y = targets(loss, len(z), seed)
    step = 1e-6
    numeric = (loss.value(z + step, y) - loss.value(z - step, y)) / (2 * step)
    smooth = torch.ones_like(z, dtype=torch.bool)
    if not loss.smooth:  # away from the kink
        smooth = ((1 - y * z).abs() > 1e-3) if loss.targets == "binary" else ((z - y).abs() > 1e-3)
    scale = 1 + loss.value(z, y)
    assert ((loss.gradient(z, y) - numeric).abs()[smooth] <= 1e-6 * scale[smooth] * 10).all()


@pytest.mark.parametrize("loss", SCALAR, ids=str)
@given(z=scores, w=scores, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_fenchel_young(loss, z, w, seed):
    """loss(z) + loss*(θ) >= zθ for every feasible θ, with equality at θ = loss'(z)."""
    n = min(len(z), len(w))
    z, w = (torch.tensor(v[:n], dtype=torch.float64) for v in (z, w))
    y = targets(loss, n, seed)
    other = loss.gradient(w, y)
    low, high = loss.dual_bounds(y)
    assert ((other >= low) & (other <= high)).all()
    value = loss.value(z, y)
    assert (value >= 0).all()
    gap = value + loss.conjugate(other, y) - z * other
    magnitude = 1 + value + loss.value(w, y) + (z * other).abs() + (w * other).abs()
    assert (gap >= -1e-12 * magnitude).all()
    own = loss.gradient(z, y)
    tight = value + loss.conjugate(own, y) - z * own
    assert (tight.abs() <= 1e-12 * (1 + value + (z * own).abs() + (own * y).abs())).all()


@pytest.mark.parametrize("loss", [x for x in SCALAR if x.smooth], ids=str)
def test_curvature_is_the_second_derivative_and_bounded(loss):
    z = torch.linspace(-6, 6, 97, dtype=torch.float64)
    y = targets(loss, 97, 3)
    step = 1e-5
    numeric = (loss.gradient(z + step, y) - loss.gradient(z - step, y)) / (2 * step)
    curvature = loss.curvature(z, y)
    kink = (numeric - curvature).abs() > 1e-4 * (1 + curvature)
    assert int(kink.sum()) <= (3 if loss.name in ("huber", "squared_hinge") else 0)
    assert (curvature <= loss.curvature_bound + 1e-12).all()
    assert torch.allclose(loss.curvature_from(z, y, loss.gradient(z, y)), curvature)


@pytest.mark.parametrize("loss", [sl.Logistic(), sl.Poisson()], ids=str)
def test_self_concordance_constant(loss):
    z = torch.linspace(-8, 8, 321, dtype=torch.float64)
    y = targets(loss, 321, 5)
    step = 1e-5
    third = (loss.curvature(z + step, y) - loss.curvature(z - step, y)) / (2 * step)
    assert (third.abs() <= loss.self_concordance * loss.curvature(z, y) * (1 + 1e-6)).all()


def test_values_are_those_of_torch():
    g = torch.Generator().manual_seed(1)
    z = torch.randn(50, generator=g, dtype=torch.float64) * 4
    t = torch.randint(0, 2, (50,), generator=g).double()
    r = torch.randn(50, generator=g, dtype=torch.float64)
    F = torch.nn.functional
    pairs = [
        (sl.Logistic().value(z, 2 * t - 1), F.binary_cross_entropy_with_logits(z, t, reduction="none")),
        (sl.Squared().value(z, r), 0.5 * F.mse_loss(z, r, reduction="none")),
        (sl.Huber(0.8).value(z, r), F.huber_loss(z, r, delta=0.8, reduction="none")),
        (sl.Quantile(0.5).value(z, r), 0.5 * F.l1_loss(z, r, reduction="none")),
    ]
    two = torch.stack([torch.zeros_like(z), z], 1)
    hinge = F.multi_margin_loss(two, t.long(), reduction="none") * 2
    pairs.append((sl.Hinge().value(z, 2 * t - 1), hinge))
    scores = torch.randn(50, 4, generator=g, dtype=torch.float64) * 5
    labels = torch.randint(0, 4, (50,), generator=g)
    pairs.append((sl.Softmax().value(scores, labels), F.cross_entropy(scores, labels, reduction="none")))
    for ours, theirs in pairs:
        assert torch.allclose(ours, theirs, rtol=1e-13, atol=1e-13)


@given(st.integers(0, 500), st.sampled_from([0.1, 3.0, 40.0]))
@settings(max_examples=40, deadline=None)
def test_softmax_gradient_and_conjugate(seed, size):
    g = torch.Generator().manual_seed(seed)
    z = (torch.randn(6, 4, generator=g, dtype=torch.float64) * size).requires_grad_()
    y = torch.randint(0, 4, (6,), generator=g)
    loss = sl.Softmax()
    (theirs,) = torch.autograd.grad(torch.nn.functional.cross_entropy(z, y, reduction="sum"), z)
    dual = loss.gradient(z.detach(), y)
    assert torch.allclose(dual, theirs, rtol=1e-10, atol=1e-13)
    assert (dual.sum(1).abs() <= 1e-15).all()
    tight = loss.value(z.detach(), y) + loss.conjugate(dual, y) - (z.detach() * dual).sum(1)
    assert (tight.abs() <= 1e-11 * (1 + z.detach().abs().amax(1))).all()


def test_confident_predictions_keep_their_digits():
    """Far on the right side the loss is e^-z, not zero and not rounding."""
    z = torch.tensor([36.0], dtype=torch.float64)
    assert math.isclose(float(sl.Logistic().value(z, torch.ones(1))), math.exp(-36), rel_tol=1e-12)
    assert math.isclose(float(sl.Logistic().gradient(z, torch.ones(1))), -math.exp(-36), rel_tol=1e-12)
    two = torch.tensor([[36.0, 0.0]], dtype=torch.float64)
    value, dual = sl.Softmax().value_and_gradient(two, torch.tensor([0]))
    assert math.isclose(float(value), math.exp(-36), rel_tol=1e-12)
    assert math.isclose(float(dual[0, 0]), -math.exp(-36), rel_tol=1e-12)


def test_soft_labels_are_the_mixture():
    z = torch.linspace(-20, 20, 41, dtype=torch.float64)
    q = torch.linspace(0, 1, 41, dtype=torch.float64)
    soft, hard, one = sl.Logistic(soft=True), sl.Logistic(), torch.ones(41, dtype=torch.float64)
    mixture = q * hard.value(z, one) + (1 - q) * hard.value(z, -one)
    assert torch.allclose(soft.value(z, 2 * q - 1), mixture, rtol=1e-12, atol=1e-15)
    dual = soft.gradient(z, 2 * q - 1)
    assert torch.allclose(dual, torch.sigmoid(z) - q, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "hint"), [("hing", "hinge"), ("logistik", "logistic"), ("mse", "choose one of"), (3, "choose one of")]
)
def test_unknown_loss_names_the_nearest(name, hint):
    with pytest.raises(ValueError, match=hint):
        as_loss(name)


@pytest.mark.parametrize("make", [lambda: sl.Huber(0), lambda: sl.Huber(math.nan), lambda: sl.Quantile(1.0)])
def test_parameters_out_of_range(make):
    with pytest.raises(ValueError, match="must"):
        make()


def test_every_loss_has_a_torch_twin():
    for kind in LOSSES.values():
        assert isinstance(kind().torch_twin(), torch.nn.Module)
