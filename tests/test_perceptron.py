"""The perceptron: the same steps as scikit-learn's, the mistake bound kept, and the verdict where it never ends."""

import math
import warnings

import numpy as np
import pytest
import sklearn.linear_model
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.utils.estimator_checks import check_param_validation, parametrize_with_checks

import sightline as sl
from sightline.estimators import ConvergenceWarning
from sightline.max_margin import maximum_margin


def by_hand(X, t, passes, eta=1.0):
    """Rosenblatt's rule as it is written down: last weights, their mean over the rows visited, mistakes."""
    rows = np.hstack([X, np.ones((len(X), 1))])
    w, total, mistakes = np.zeros(rows.shape[1]), np.zeros(rows.shape[1]), 0
    for _ in range(passes):
        before = mistakes
        for x, s in zip(rows, t):
            if s * (x @ w) <= 0:
                w = w + eta * s * x
                mistakes += 1
            total += w
        if mistakes == before:
            break
    return w, total, mistakes


@pytest.mark.parametrize("passes", [1, 3, 50])
def test_same_weights_as_by_hand_and_as_scikit_learn(passes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = (X @ [1.0, -2.0, 0.5] + 0.3 > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = sl.Perceptron(shuffle=False, max_iter=passes, eta0=0.5).fit(X, y)
        theirs = sklearn.linear_model.Perceptron(shuffle=False, max_iter=passes, eta0=0.5, tol=None).fit(X, y)
    w, _, mistakes = by_hand(X, 2 * y - 1, passes, 0.5)
    np.testing.assert_allclose(ours.coef_[0], w[:3], rtol=1e-12)
    np.testing.assert_allclose(ours.intercept_, w[3:], rtol=1e-12)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-10)
    assert ours.mistakes_ == mistakes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("tol", [1e-3, 0.0, None])
def test_class_weight_and_tol_are_scikit_learns(seed, classes, tol):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3))
    y = np.digitize(X[:, 0] + 0.7 * rng.normal(size=60), [-0.4, 0.4][: classes - 1])
    asked = {"shuffle": False, "max_iter": 40, "tol": tol, "class_weight": {0: 0.3, 1: 2.0}, "n_iter_no_change": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = sl.Perceptron(**asked).fit(X, y)
        theirs = sklearn.linear_model.Perceptron(**asked).fit(X, y)
        plain = sl.Perceptron(shuffle=False, max_iter=40, tol=tol).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9, atol=1e-9)
    assert not np.allclose(ours.coef_, plain.coef_)
    if tol is not None:
        assert ours.n_iter_ == theirs.n_iter_ < 40


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), weight=st.sampled_from([0.01, 0.3, 40.0]))
def test_class_weights_widen_the_bound(seed, weight):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 2))
    s = X @ [0.6, 0.8]
    X, y = X[np.abs(s) > 0.1], (s > 0)[np.abs(s) > 0.1]
    if y.all() or not y.any():
        return
    even = sl.Perceptron(max_iter=100_000, random_state=0).fit(X, y)
    model = sl.Perceptron(max_iter=100_000, random_state=0, class_weight={True: weight}).fit(X, y)
    assert model.certificate_.optimal and model.mistakes_ <= model.mistake_bound_
    assert math.isclose(model.mistake_bound_, even.mistake_bound_ * max(weight, 1 / weight), rel_tol=1e-12)


def test_a_class_without_weight_is_refused():
    with pytest.raises(sl.DataError, match="class_weight is zero"):
        sl.Perceptron(class_weight={0: 0.0}).fit([[0.0], [1.0]], [0, 1])


def test_averaged_weights_are_the_mean_over_all_rows_visited():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(70, 2))
    y = (X[:, 0] + 0.5 * rng.normal(size=70) > 0).astype(int)
    with pytest.warns(ConvergenceWarning, match="never ends"):
        model = sl.Perceptron(shuffle=False, max_iter=7, averaged=True).fit(X, y)
    _, total, _ = by_hand(X, 2 * y - 1, 7)
    np.testing.assert_allclose(np.append(model.coef_[0], model.intercept_), total / (7 * 70), rtol=1e-10)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.sampled_from([0.3, 0.05]), shuffle=st.booleans(), intercept=st.booleans())
def test_mistakes_are_within_the_bound(seed, gap, shuffle, intercept):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 2))
    s = X @ [0.6, 0.8]
    X, y = X[np.abs(s) > gap], (s > 0)[np.abs(s) > gap]
    if y.all() or not y.any():
        return
    model = sl.Perceptron(shuffle=shuffle, random_state=seed, fit_intercept=intercept, max_iter=100_000).fit(X, y)
    rows = np.hstack([X, np.ones((len(X), 1))]) if intercept else X
    margin = maximum_margin(rows, np.where(y, 1, -1), intercept=False).margin
    radius = np.linalg.norm(rows, axis=1).max()
    assert math.isclose(model.mistake_bound_, (radius / margin) ** 2, rel_tol=1e-10)
    assert 1 <= model.mistakes_ <= model.mistake_bound_
    assert model.separable_ and model.certificate_.optimal and model.score(X, y) == 1.0


def test_two_points():
    model = sl.Perceptron(shuffle=False).fit([[3.0, 2.0], [1.0, 1.0]], [1, 0])
    assert math.isclose(model.margin_, 1 / math.sqrt((7 / 6) ** 2 + (1 / 3) ** 2 + (11 / 6) ** 2), rel_tol=1e-14)
    assert math.isclose(model.radius_, math.sqrt(14), rel_tol=1e-15)
    assert model.mistakes_ <= model.mistake_bound_


def test_overlapping_classes_never_end():
    X, y = load_iris(return_X_y=True)
    X, y = X[50:], y[50:]
    with pytest.warns(ConvergenceWarning, match="goes round for ever.*overlap: ") as caught:
        model = sl.Perceptron(max_iter=20, random_state=0).fit(X, y)
    assert caught[0].filename == __file__
    assert model.certificate_.verdict is sl.Verdict.INFEASIBLE
    assert model.certificate_.witness.verified == "exact"
    assert not model.separable_ and model.mistake_bound_ == math.inf and model.margin_ == 0.0
    assert model.n_iter_ == 20


def test_weights_stay_bounded_where_it_never_ends():
    """Block and Levin's theorem on a case of three points, run for long."""
    X, y = np.array([[0.0], [1.0], [2.0]]), [0, 1, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = [
            np.abs(sl.Perceptron(shuffle=False, max_iter=m).fit(X, y).coef_).max() for m in (10, 100, 1000, 3000)
        ]
    assert max(sizes) <= 5


def test_too_few_passes_are_told_with_the_bound():
    X = np.array([[0.0], [1.0], [1.01], [2.0]])
    with pytest.warns(ConvergenceWarning, match="it will end, after at most .* mistakes"):
        model = sl.Perceptron(max_iter=2, shuffle=False).fit(X, [0, 0, 1, 1])
    assert model.certificate_.verdict is sl.Verdict.INACCURATE
    more = sl.Perceptron(max_iter=100_000, shuffle=False).fit(X, [0, 0, 1, 1])
    assert more.certificate_.optimal
    assert 2 < more.mistakes_ <= more.mistake_bound_ == model.mistake_bound_


def test_warm_start_goes_on():
    X = np.array([[0.0], [1.0], [1.01], [2.0]])
    model = sl.Perceptron(max_iter=3, shuffle=False, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, [0, 0, 1, 1]).fit(X, [0, 0, 1, 1])
        once = sl.Perceptron(max_iter=6, shuffle=False).fit(X, [0, 0, 1, 1])
    np.testing.assert_allclose(model.coef_, once.coef_, rtol=1e-12)


def test_several_classes_and_kinds_of_input():
    rng = np.random.default_rng(0)
    X = np.vstack([c + rng.normal(size=(20, 2)) for c in ([0, 9], [8, -5], [-8, -5])])
    y = np.repeat([0, 1, 2], 20)
    model = sl.Perceptron(random_state=0, max_iter=10_000).fit(X, y)
    assert model.coef_.shape == (3, 2) and model.mistakes_.shape == (3,)
    assert (model.mistakes_ <= model.mistake_bound_).all() and model.score(X, y) == 1.0
    tensor = sl.Perceptron(random_state=0, max_iter=10_000).fit(torch.from_numpy(X).float(), torch.from_numpy(y))
    assert tensor.coef_.dtype == torch.float32
    np.testing.assert_allclose(tensor.coef_.numpy(), model.coef_, rtol=1e-4, atol=1e-4)


@parametrize_with_checks([sl.Perceptron(max_iter=100)])
@pytest.mark.filterwarnings("ignore:INFEASIBLE", "ignore:INACCURATE")
def test_scikit_learns_checks(estimator, check):
    """Their data overlap, which the perceptron says."""
    check(estimator)


def test_wrong_parameters_are_refused_in_scikit_learns_words():
    check_param_validation("Perceptron", sl.Perceptron())
