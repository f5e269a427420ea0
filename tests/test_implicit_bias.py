"""Where trainings tend to on separable data, and when they will be there: against the trainings themselves."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import sightline as sl
from sightline.largest_margin_rows import difference_rows, largest_linf
from sightline.max_margin import maximum_margin
from sightline.recipes.normalized_gd import NormalizedGD

X = torch.tensor([[3.0, 2.0], [1.0, 1.0]], dtype=torch.float64)
Y = torch.tensor([[1.0], [0.0]], dtype=torch.float64)


def trained(*name, X=X, bias=True, zero=False, record="ends", **settings):
    torch.manual_seed(0)
    module = nn.Linear(2, 1, bias=bias).double()
    start = {"start": "zeros"} if zero else {}
    recipe = sl.Recipe(*name, **start, **settings)
    return sl.train(module, (X, Y), nn.BCEWithLogitsLoss(), recipe, record=record, warn=False)


def off_bisector(weights):
    """Degrees between the boundary and the bisector of the two points, which is normal to (2, 1)."""
    w1, w2 = (float(v) for v in weights.coef)
    return math.degrees(abs(math.atan2(2 * w2 - w1, 2 * w1 + w2)))


# ---------------------------------------------------------------------------------------------------- two points


def test_plain_gradient_descent_goes_elsewhere():
    training = trained("sgd", lr=1.0, epochs=101)
    found = sl.implicit_bias(training)
    assert (found.target, found.norm, found.intercept) == ("maximum margin", "l2", "in the norm")
    np.testing.assert_allclose([*found.coef[0], *found.intercept_value], [7 / 6, -1 / 3, -11 / 6], rtol=1e-14)
    assert found.turn == pytest.approx(42.510, abs=5e-4)
    assert found.certificate.relative_gap < 1e-10
    w = np.append(training.weight.numpy(), training.bias.numpy())
    cosine = w @ [7 / 6, -1 / 3, -11 / 6] / np.linalg.norm(w) * found.margin
    assert found.angle == pytest.approx(math.degrees(math.acos(cosine)), rel=1e-10)
    assert "in the norm" in str(found) and "Soudry" in str(found)


def test_steps_foretold_are_the_steps_that_it_takes():
    found = {step: sl.implicit_bias(trained("sgd", lr=1.0, epochs=step)) for step in (30, 100, 400)}
    foretold = [step + found[step].steps(4.0) for step in (30, 100)]
    assert found[100].angle > 4.0 > found[400].angle
    assert all(100 < steps < 400 for steps in foretold)
    assert found[400].steps(4.0) == 0.0


def test_steps_of_a_recipe_begun_at_zero():
    found = sl.implicit_bias(sl.Recipe("sgd", lr=1.0), X, Y[:, 0])
    assert math.isnan(found.angle)
    off = []
    for degrees in (2.0, 1.0):  # the rate is to leading order: ever nearer
        steps = round(found.steps(degrees))
        off.append(sl.implicit_bias(trained("sgd", lr=1.0, epochs=steps, zero=True)).angle / degrees - 1)
    assert abs(off[1]) < 0.05 < abs(off[0]) < 0.3


def test_without_a_bias_it_is_the_margin_through_the_origin():
    found = sl.implicit_bias(trained("sgd", lr=0.5, epochs=20, bias=False))
    assert found.intercept == "none"
    truth = maximum_margin(X.numpy(), [1, -1], intercept=False)
    np.testing.assert_allclose(found.coef[0], truth.coef, rtol=1e-12)


def test_weight_decay_on_weights_and_bias():
    found = sl.implicit_bias(trained("sgd", lr=1.0, epochs=300, weight_decay=0.2))
    assert (found.target, found.intercept) == ("penalised optimum", "in the norm")
    np.testing.assert_allclose([*found.coef[0], *found.intercept_value], [0.5942, -0.0126, -0.6195], atol=5e-5)
    assert found.turn == pytest.approx(27.8, abs=0.05)
    assert found.angle < 1e-4 and found.steps(1.0) == 0.0


def test_weight_decay_on_the_weights_alone_keeps_the_bisector():
    for strength in (0.01, 0.2, 1.0):
        recipe = sl.Recipe("sgd", lr=0.5, weight_decay=strength, decay="weights")
        found = sl.implicit_bias(recipe, X, Y[:, 0])
        assert (found.target, found.intercept) == ("penalised optimum", "free")
        assert found.turn < 1e-3


# ------------------------------------------------------------------------------------------- normalised descent


def first_within(degrees, **settings):
    run = trained("normalized-gd", lr=0.5, epochs=60, X=X - X.mean(0), record="all", **settings)
    return next(step for step, weights in run.trace.weights if step and off_bisector(weights) < degrees)


def test_normalised_descent_gets_there_fast():
    """Forty steps and, with dual acceleration, eleven, from centred data and a random start."""
    assert first_within(1.0) <= 40
    assert first_within(1.0, by="loss", closure=True) <= 40
    assert first_within(1.0, by="loss", accelerated=True, closure=True) == 11
    plain = trained("sgd", lr=0.5, epochs=300, X=X - X.mean(0))
    assert off_bisector(plain.weights) > 1.0


def test_steps_of_normalised_descent():
    run = trained("normalized-gd", lr=0.5, epochs=12, X=X - X.mean(0))
    found = sl.implicit_bias(run)
    more = int(found.steps(1.0))
    end = sl.implicit_bias(trained("normalized-gd", lr=0.5, epochs=12 + more, X=X - X.mean(0)))
    assert end.angle == pytest.approx(1.0, rel=0.1)
    assert sl.implicit_bias(sl.Recipe("normalized-gd", accelerated=True), X, Y[:, 0]).steps(1.0) < sl.implicit_bias(
        sl.Recipe("normalized-gd"), X, Y[:, 0]
    ).steps(1.0)


def test_normalised_step_by_hand():
    for scale in (1.0, 1e-30):
        a, b = (torch.zeros(size, dtype=torch.float64, requires_grad=True) for size in (2, 1))
        optimizer = NormalizedGD([a, b], lr=0.1)
        a.grad, b.grad = torch.tensor([2.0, 0.0]).double() * scale, torch.tensor([1.5]).double() * scale
        optimizer.step()
        np.testing.assert_allclose(a.tolist(), [-0.08, 0.0], rtol=1e-14)
        np.testing.assert_allclose(b.tolist(), [-0.06], rtol=1e-14)
    a.grad, b.grad = torch.zeros(2).double(), torch.zeros(1).double()
    before = a.tolist()
    optimizer.step()
    assert a.tolist() == before


def test_normalised_descent_refuses():
    p = [torch.zeros(1, requires_grad=True)]
    with pytest.raises(ValueError, match="lr=0"):
        NormalizedGD(p, lr=0.0)
    with pytest.raises(ValueError, match="by='norm'"):
        NormalizedGD(p, by="norm")
    p[0].grad = torch.ones(1)
    with pytest.raises(ValueError, match="closure=True"):
        NormalizedGD(p, by="loss").step()
    with pytest.raises(ValueError, match="weight_decay"):
        trained("normalized-gd", epochs=1, weight_decay=0.1)


# ------------------------------------------------------------------------------------------------ other geometries


def test_adam_is_compared_in_the_l_infinity_norm():
    found = sl.implicit_bias(trained("adam", lr=0.01, epochs=300))
    assert (found.norm, found.target) == ("linf", "maximum margin")
    w = np.append(found.coef[0], found.intercept_value)
    rows = np.array([[3.0, 2.0, 1.0], [-1.0, -1.0, -1.0]])
    assert (rows @ w).min() >= 1 - 1e-9
    assert found.margin == pytest.approx(1 / np.abs(w).max(), rel=1e-12)
    assert math.isnan(found.steps(1.0))
    assert "eps" in found.theory.open


def test_l_infinity_margin_against_a_search():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 2)) * 0.3 + [1.0, 0.7]
    rows = rows[rows.min(1) > 0]
    w, margin, certificate = largest_linf(rows)
    assert certificate.optimal
    edge = np.linspace(-1, 1, 4001)
    square = np.vstack([np.column_stack([s * np.ones_like(edge), edge]) for s in (1, -1)])
    square = np.vstack([square, square[:, ::-1]])
    assert margin == pytest.approx((rows @ square.T).min(0).max(), abs=1e-3)
    assert (rows @ w).min() == pytest.approx(1.0, rel=1e-12)


def test_what_is_not_known_is_said():
    for name in ("adagrad", "lbfgs"):
        found = sl.implicit_bias(trained(name, epochs=2))
        assert found.target == "unknown" and found.norm is None
        assert math.isnan(found.steps(1.0)) and "not known" in str(found)
    nesterov = sl.implicit_bias(sl.Recipe("sgd", lr=0.1, momentum=0.9, nesterov=True), X, Y[:, 0])
    assert "Nesterov" in nesterov.theory.open
    rmsprop = sl.implicit_bias(sl.Recipe("rmsprop", lr=0.1), X, Y[:, 0])
    assert rmsprop.norm == "l2" and math.isnan(rmsprop.steps(1.0))


def test_overlapping_classes_have_an_optimum():
    rows, labels = torch.tensor([[0.0], [1.0], [2.0], [3.0]]).double(), torch.tensor([0.0, 1.0, 0.0, 1.0]).double()
    module = nn.Linear(1, 1).double()
    run = sl.train(module, (rows, labels[:, None]), nn.BCEWithLogitsLoss(), sl.Recipe("sgd", lr=0.5, epochs=400))
    found = sl.implicit_bias(run)
    assert found.target == "optimum" and found.norm is None
    best = sl.fit(rows, labels, loss="logistic")
    np.testing.assert_allclose(found.coef[0], best.weight[0], rtol=1e-5)
    assert found.angle < 5.0 and "overlap" in str(found)


def test_several_classes():
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 8.0], [7.0, -4.0], [-7.0, -4.0]]).double()
    labels = torch.arange(3).repeat(15)
    rows = centres[labels] + torch.randn(45, 2, generator=generator).double()
    torch.manual_seed(0)
    module = nn.Linear(2, 3).double()
    recipe = sl.Recipe("sgd", lr=0.1, epochs=400, batch_size=15)
    found = sl.implicit_bias(sl.train(module, (rows, labels), nn.CrossEntropyLoss(), recipe, warn=False))
    assert found.coef.shape == (3, 2) and math.isnan(found.turn)
    scores = rows.numpy() @ found.coef.T + found.intercept_value
    own = scores[np.arange(45), labels.numpy()]
    others = np.where(np.arange(3)[None] == labels.numpy()[:, None], -np.inf, scores)
    assert (own - others.max(1)).min() == pytest.approx(1.0, rel=1e-9)
    assert np.abs(found.coef.sum(0)).max() < 1e-12  # what all classes share is not in the least norm
    assert "mini-batches" in found.theory.proven


def test_rows_of_margins():
    rows = difference_rows(np.array([[2.0], [3.0]]), np.array([1, 0]), 3, True)
    assert rows.shape == (4, 6)
    flat = np.arange(6.0)
    scores = np.array([[2.0, 1.0], [3.0, 1.0]]) @ flat.reshape(3, 2).T
    expected = [scores[0, 1] - scores[0, 0], scores[0, 1] - scores[0, 2], scores[1, 0] - scores[1, 1]]
    np.testing.assert_allclose((rows @ flat)[:3], expected)


def test_bad_input():
    with pytest.raises(ValueError, match="give X and y"):
        sl.implicit_bias(sl.Recipe("sgd"))
    with pytest.raises(ValueError, match="not dict"):
        sl.implicit_bias({})
    with pytest.raises(ValueError, match="between 0 and 90"):
        sl.implicit_bias(sl.Recipe("sgd"), X, Y[:, 0]).steps(0.0)
    squared = sl.train(nn.Linear(2, 1).double(), (X, Y), nn.MSELoss(), sl.Recipe("sgd", lr=0.01, epochs=2))
    with pytest.raises(ValueError, match="does not fade like an exponential"):
        sl.implicit_bias(squared)
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    deep = sl.train(network, (X, Y), nn.BCEWithLogitsLoss(), sl.Recipe("sgd", lr=0.01, epochs=2))
    with pytest.raises(ValueError, match="no direction is known"):
        sl.implicit_bias(deep)
